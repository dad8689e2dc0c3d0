package adapter

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xuangate/xuangate/gen/model"
)

// maxFileName bounds a file's name, in bytes of UTF-8: it is what file systems take, so that whoever downloads the file can
// keep it under its name.
const maxFileName = 255

// fileName makes a name from outside into one that may be stored: folders before it are cut off, as browsers of old sent them,
// and what could break xxd's texts or deceive the reader's eye is replaced by "_". The chat server gets no name but these.
func (a *Adapter) fileName(op, given string) (string, error) {
	if !utf8.ValidString(given) {
		return "", refuse(op, model.InvalidParameter, "file: its name must be UTF-8")
	}
	name := strings.Map(func(r rune) rune {
		if r == '"' || r == '\ufeff' || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '_'
		}
		return r
	}, path.Base(strings.ReplaceAll(given, `\`, "/")))
	name = strings.TrimSpace(name)
	switch {
	case strings.Trim(name, "./ ") == "":
		return "", refuse(op, model.InvalidParameter, "file: has no name; give the part a filename")
	case len(name) > maxFileName:
		return "", refuse(op, model.InvalidParameter, "file: its name is longer than %d bytes", maxFileName)
	}
	if bad := a.emoji.unfit(name); bad != "" {
		return "", refuse(op, model.Conflict, "file: the chat server cannot store %q in a name", bad)
	}
	return name, nil
}

// mediaTypes are the types that files are given out as, by the ending of their name. What is not here is
// application/octet-stream; so is, on purpose, what a browser would run as a page of ours: html, svg, xml.
var mediaTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".bmp": "image/bmp", ".avif": "image/avif",
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".wav": "audio/wav", ".aac": "audio/aac", ".amr": "audio/amr",
	".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	".txt": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".json": "application/json",
	".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip", ".7z": "application/x-7z-compressed",
	".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

func mediaType(name string) string {
	if t, ok := mediaTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

func isImage(mediaType string) bool { return strings.HasPrefix(mediaType, "image/") }
