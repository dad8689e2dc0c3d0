package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lines is a Writer that can be waited on.
type lines struct {
	mu      sync.Mutex
	written strings.Builder
	more    chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default: // whoever waits has not looked yet
	}
	return l.written.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.String()
}

// wait returns all that was written once it contains what.
func (l *lines) wait(t *testing.T, what string) string {
	t.Helper()
	enough := time.After(patience)
	for !strings.Contains(l.text(), what) {
		select {
		case <-l.more:
		case <-enough:
			t.Fatalf("no %q in:\n%s", what, l.text())
		}
	}
	return l.text()
}

// startDev runs `xuangate dev` on a free port, and answers what it prints. The test ends it, and expects it to end well.
func startDev(t *testing.T, flags ...string) (printed string, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	out, log := newLines(), newLines()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"dev", "--addr", "127.0.0.1:0"}, flags...), noEnv, output{out, log})
	}()
	end = sync.OnceFunc(func() {
		cancel()
		require.Zero(t, <-ended, log.text())
		require.NotRegexp(t, "level=(WARN|ERROR)", log.text(), "nothing is wrong, so nobody is to be alarmed")
	})
	t.Cleanup(end)
	return out.wait(t, `"content":"你好"}'`), end
}

// bash runs a script and answers its standard output as it comes.
func bash(t *testing.T, script string) *lines {
	t.Helper()
	out := newLines()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Stdout, cmd.Stderr = out, t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed, or out of patience with a stream
	})
	return out
}

func TestDev(t *testing.T) {
	for _, mode := range []string{"xxb", "xxd", "inline", "v1"} {
		t.Run("what it prints can be pasted: one listens, the other speaks, in mode "+mode, func(t *testing.T) {
			printed, end := startDev(t, "--mode", mode)
			require.Contains(t, printed, "in mode "+mode)
			commands := regexp.MustCompile(`(?m)^  (TOKEN=.*|curl .*)$`).FindAllString(printed, -1)
			require.Len(t, commands, 4, printed)

			heard := bash(t, commands[0]+"\nexec "+strings.TrimSpace(commands[1]))
			heard.wait(t, "id:")
			bash(t, commands[2]+"\n"+commands[3]).wait(t, `"MsgID"`)
			require.Contains(t, heard.wait(t, "你好"), `"FromSession":"5"`)

			end() // though a stream is open
		})
	}
	t.Run("the folder keeps the chat server's data, and the group is made once", func(t *testing.T) {
		group := regexp.MustCompile(`everybody but dave: (\S+)`)
		folder := t.TempDir() + "/new"
		first, end := startDev(t, "--data", folder)
		end()
		second, _ := startDev(t, "--data", folder)
		require.Equal(t, group.FindStringSubmatch(first)[1], group.FindStringSubmatch(second)[1])
	})
	t.Run("the inner key opens /inner on the same port", func(t *testing.T) {
		printed, _ := startDev(t)
		api := regexp.MustCompile(`API +(\S+)`).FindStringSubmatch(printed)[1]
		key := regexp.MustCompile(`inner key +(\S+)`).FindStringSubmatch(printed)[1]
		bash(t, "curl -s "+api+`/inner/get_token -H 'X-Inner-Key: `+key+`' -H 'Content-Type: application/json' -d '{"account":"dave"}'`).wait(t, `"code":0,"data":"`)
	})
}

// TestReadmeWalkThrough pastes README's block into bash, with another port.
func TestReadmeWalkThrough(t *testing.T) {
	printed, _ := startDev(t)
	api := regexp.MustCompile(`API +(\S+)`).FindStringSubmatch(printed)[1]
	_, block, found := strings.Cut(readme(t), "paste this into bash:\n\n```bash\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	require.Contains(t, block, "API=http://127.0.0.1:8080\n")

	out := bash(t, strings.Replace(block, "http://127.0.0.1:8080", api, 1)+"echo; echo over\n").wait(t, "over\n")
	require.Contains(t, out, `"MsgID"`, "alice's message was taken")
	require.Contains(t, out, `{"Msg":[`, "the history was answered")
	require.Contains(t, out, "event: message\n", "bob heard it")
	require.Equal(t, 2, strings.Count(out, `"Content":"大家好"`), "once in the history and once in bob's stream:\n%s", out)
}

// TestReadmeGoProgram runs README's program, with another port.
func TestReadmeGoProgram(t *testing.T) {
	printed, _ := startDev(t)
	api := regexp.MustCompile(`API +(\S+)`).FindStringSubmatch(printed)[1]
	_, program, found := strings.Cut(readme(t), "```go\n")
	require.True(t, found)
	program, _, _ = strings.Cut(program, "```")
	require.Contains(t, program, `"http://127.0.0.1:8080"`)
	_, body, _ := strings.Cut(program, "func main() {\n")
	require.LessOrEqual(t, strings.Count(body, "\n"), 20)

	folder := t.TempDir()
	source, binary := filepath.Join(folder, "main.go"), filepath.Join(folder, "hello")
	require.NoError(t, os.WriteFile(source, []byte(strings.Replace(program, "http://127.0.0.1:8080", api, 1)), 0o600))
	built, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput()
	require.NoError(t, err, "%s", built)
	bash(t, "exec "+binary).wait(t, "4 大家好\n")
}

// TestReadmeSettingsFiles reads README's examples as files.
func TestReadmeSettingsFiles(t *testing.T) {
	blocks := strings.Split(readme(t), "```yaml\n")[1:]
	require.Len(t, blocks, 5, "one for each mode, and what several nodes need besides")
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if blocks[i] = block; i == 4 {
			block = blocks[0] + block
		}
		_, err := settle(t, block, nil)
		require.NoError(t, err)
	}
}
