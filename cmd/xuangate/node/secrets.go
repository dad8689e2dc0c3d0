package node

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// maxSecret bounds a secret's file in bytes. Without it a mistyped name, of a log or a device, is read into memory whole.
const maxSecret = 4096

// Secret is a key. It prints and logs as [redacted]; string(s) is the key itself.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString keeps the key out of %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps the key out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the key out of the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// SecretFile is the name of a file that holds a secret, and nothing else; a newline at its end is not part of it. Each
// setting that is a Secret has one beside it whose name ends in _file.
type SecretFile string

// read is what the file holds.
func (f SecretFile) read() (Secret, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", f)
	case info.Size() > maxSecret:
		return "", fmt.Errorf("%s has %d bytes, and no secret more than %d; is it the right file?", f, info.Size(), maxSecret)
	}
	raw, err := os.ReadFile(string(f))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", f)
	}
	return Secret(secret), nil
}

// settings are the fields of c that can be set, by which they are read and written. Their names are as the flags'.
func (c *Config) settings() []*kong.Flag {
	return kong.Must(c, kong.NoDefaultHelp()).Model.Flags
}

// key is a setting's name in the file and in messages: legacy.xxb.own_presence.
func key(f *kong.Flag) string { return strings.ReplaceAll(f.Name, "-", "_") }

// secrets has the secrets in place that files hold, and no file left to read.
func (c Config) secrets() (Config, []error) {
	var f faults
	settings := c.settings()
	values := make(map[string]reflect.Value, len(settings))
	for _, s := range settings {
		values[key(s)] = s.Target
	}
	for _, s := range settings {
		file, ok := s.Target.Interface().(SecretFile)
		if !ok || file == "" {
			continue
		}
		s.Target.SetString("")
		name := strings.TrimSuffix(key(s), "_file")
		if values[name].String() != "" {
			f.add(key(s), "is set beside %s; keep one of them", name)
			continue
		}
		secret, err := file.read()
		if err != nil {
			f.add(key(s), "cannot be read: %s", err)
			continue
		}
		values[name].Set(reflect.ValueOf(secret))
	}
	return c, f
}

// settle is the settings as a node runs with them, with their secrets in place, and everything that is wrong with them.
func (c Config) settle() (Config, []error) {
	settled, unread := c.secrets()
	all := unread
	for _, err := range settled.validate() {
		// What a file should have held is not missing besides.
		name, _, _ := strings.Cut(err.Error(), ":")
		if !about(unread, name+"_file") {
			all = append(all, err)
		}
	}
	return settled, all
}

// about says whether one of these faults is one of a setting.
func about(faults []error, name string) bool {
	for _, err := range faults {
		if strings.HasPrefix(err.Error(), name+":") {
			return true
		}
	}
	return false
}

// openSecrets are the notes on files of secrets that others can read, too.
func (c Config) openSecrets() (found []Finding) {
	for _, s := range c.settings() {
		file, ok := s.Target.Interface().(SecretFile)
		if !ok || file == "" {
			continue
		}
		if info, err := os.Stat(string(file)); err == nil && info.Mode().Perm()&0o004 != 0 {
			found = append(found, Finding{false, fmt.Sprintf("%s: every user of this machine can read %s; chmod o-r it", key(s), file)})
		}
	}
	return found
}
