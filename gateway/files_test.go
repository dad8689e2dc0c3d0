package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// beginUpload sends the head of an upload, of which file is all but the beginning of the file.
func beginUpload(t *testing.T, conn io.Writer, token login.Token) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "POST /upload_file HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n", string(token))
	require.NoError(t, err)
	chunk(t, conn, "--b\r\nContent-Disposition: form-data; name=\"conversation_id\"\r\n\r\nteam\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nbegin")
}

func chunk(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(text), text)
	require.NoError(t, err)
}

func TestSlowUploads(t *testing.T) {
	t.Run("one that goes on may take as long as it likes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			token := w.signIn(alice, 1)
			conn, err := w.dial(t.Context(), "tcp", "public")
			require.NoError(t, err)
			defer conn.Close()
			start := time.Now()
			beginUpload(t, conn, token)
			for range 20 {
				time.Sleep(transferIdle - time.Second)
				chunk(t, conn, "x")
			}
			chunk(t, conn, "\r\n--b--\r\n")
			chunk(t, conn, "")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			var a model.UploadedFileAnswer
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
			require.EqualValues(t, len("begin")+20, a.Data.Size)
			require.Greater(t, time.Since(start), 9*time.Minute)
		})
	})
	t.Run("one that stands still is cut, with an answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			token := w.signIn(alice, 1)
			conn, err := w.dial(t.Context(), "tcp", "public")
			require.NoError(t, err)
			defer conn.Close()
			beginUpload(t, conn, token)
			start := time.Now()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.Equal(t, transferIdle, time.Since(start))
			require.Empty(t, w.server.uploads.users)
		})
	})
}

func TestSlowDownloads(t *testing.T) {
	const size = 1 << 20
	download := func(t *testing.T, pause time.Duration) (read int64, err error) {
		w := newWorldOn(t, nil, newPipes)
		token := w.signIn(alice, 1)
		form := "--b\r\nContent-Disposition: form-data; name=\"conversation_id\"\r\n\r\nteam\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", size) + "\r\n--b--\r\n"
		r := w.request(http.MethodPost, "/upload_file", token, form)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		var f model.UploadedFile
		require.NoError(t, json.Unmarshal(w.ask(r).data, &f))
		conn, err := w.dial(t.Context(), "tcp", "public")
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", f.Url, string(token))
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		for range 20 {
			time.Sleep(pause)
			n, err := io.CopyN(io.Discard, resp.Body, size/20)
			read += n
			if err != nil {
				return read, err
			}
		}
		n, err := io.Copy(io.Discard, resp.Body)
		return read + n, err
	}
	t.Run("one that goes on may take as long as it likes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, err := download(t, transferIdle/2)
			require.NoError(t, err)
			require.EqualValues(t, size, n)
		})
	})
	t.Run("one that stands still is cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, err := download(t, transferIdle+time.Second)
			require.Error(t, err)
			require.Less(t, n, int64(size))
		})
	})
}

func TestBodiesThatNobodyWantsAreNotRead(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET /files/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n", string(token))
	go func() {
		for text := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"; ; {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, "the body has no end, and the answer comes all the same")
	defer resp.Body.Close()
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"a b.txt":   `attachment; filename="a b.txt"`,
		"周报.pdf":    `attachment; filename="__.pdf"; filename*=UTF-8''%E5%91%A8%E6%8A%A5.pdf`,
		`a"b\c.txt`: `attachment; filename="a_b_c.txt"; filename*=UTF-8''a%22b%5Cc.txt`,
		"100%.txt":  `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`,
		"a'(b).txt": `attachment; filename="a'(b).txt"`,
		"a\r\nX: y": `attachment; filename="a__X: y"; filename*=UTF-8''a%0D%0AX%3A%20y`,
	} {
		require.Equal(t, want, disposition(name, false))
	}
	require.Equal(t, `inline; filename="a.png"`, disposition("a.png", true))
}

func TestTransfers(t *testing.T) {
	many := newTransfers("uploads", 2, 3, func(string) {})
	leave, err := many.enter(alice)
	require.NoError(t, err)
	_, err = many.enter(alice)
	require.NoError(t, err)
	_, err = many.enter(alice)
	require.ErrorContains(t, err, "you have 2 uploads under way")
	_, err = many.enter(bob)
	require.NoError(t, err)
	_, err = many.enter(carol)
	require.ErrorContains(t, err, "as many uploads under way as it takes")
	leave()
	_, err = many.enter(carol)
	require.NoError(t, err)
}
