package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
	instructions "github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

func deployed(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("deploy", name))
	require.NoError(t, err)
	return string(raw)
}

// documents are those of a YAML text. Keys that T does not know are faults, unless it is a map.
func documents[T any](t *testing.T, text string) (all []T) {
	t.Helper()
	in := yaml.NewDecoder(strings.NewReader(text))
	in.KnownFields(true)
	for {
		var d T
		err := in.Decode(&d)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, d)
	}
}

// shipped reads a configuration of deploy/ as the command does, with secrets in place of the files that it names.
func shipped(t *testing.T, text string, folder string, secrets []string) node.Config {
	t.Helper()
	here := t.TempDir()
	for _, name := range secrets {
		require.NoError(t, os.WriteFile(filepath.Join(here, name), []byte(strings.Repeat("8", 64)), 0o600))
	}
	c, err := settle(t, strings.ReplaceAll(text, folder, here), nil)
	require.NoError(t, err)
	require.NotEmpty(t, c.Ops.Addr, "it can be watched")
	return c
}

func TestDockerfile(t *testing.T) {
	read, err := parser.Parse(strings.NewReader(deployed(t, "Dockerfile")))
	require.NoError(t, err)
	require.Empty(t, read.Warnings)
	last := map[string]*parser.Node{}
	for _, line := range read.AST.Children {
		require.Contains(t, instructions.Commands, strings.ToLower(line.Value), "line %d", line.StartLine)
		last[strings.ToLower(line.Value)] = line
	}
	require.Contains(t, last["from"].Next.Value, "distroless/static")
	require.Equal(t, "65532:65532", last["user"].Next.Value)
	check := last["healthcheck"].Original
	_, words, _ := strings.Cut(check, "CMD ")
	var args []string
	require.NoError(t, json.Unmarshal([]byte(words), &args), "there is no shell to take words apart")
	require.Equal(t, []string{"/usr/bin/xuangate", "health"}, args[:2])
	var line commandLine
	_, err = parse(&line, args[1:], &settings{env: noEnv}, output{io.Discard, io.Discard})
	require.NoError(t, err, "the command knows the flags")
	require.Equal(t, "127.0.0.1:8083", line.Health.Addr)
}

// composeFile is as much of the Compose specification as compose.yaml uses.
type composeFile struct {
	Name     string
	Services map[string]struct {
		Build           struct{ Context, Dockerfile string }
		Image           string
		Restart         string
		User            string
		StopGracePeriod string                                `yaml:"stop_grace_period"`
		DependsOn       map[string]struct{ Condition string } `yaml:"depends_on"`
		Ports           []string
		Command         []string
		Configs         []struct{ Source, Target string }
		Secrets         []string
		ReadOnly        bool     `yaml:"read_only"`
		CapDrop         []string `yaml:"cap_drop"`
		SecurityOpt     []string `yaml:"security_opt"`
		Ulimits         struct{ Nofile struct{ Soft, Hard int } }
		Volumes         []string
		Healthcheck     struct {
			Test              []string
			Interval, Timeout string
			Retries           int
		}
	}
	Configs map[string]struct{ Content string }
	Secrets map[string]struct{ File string }
	Volumes map[string]any
}

func TestCompose(t *testing.T) {
	text := deployed(t, "compose.yaml")
	c := documents[composeFile](t, text)[0]
	gateway := c.Services["gateway"]
	set := shipped(t, c.Configs["gateway"].Content, "/run/secrets", gateway.Secrets)
	grace, err := time.ParseDuration(gateway.StopGracePeriod)
	require.NoError(t, err)
	require.Greater(t, grace, set.Drain+time.Second)
	require.Greater(t, gateway.Ulimits.Nofile.Soft, set.Limits.Connections)
	require.FileExists(t, filepath.Join("deploy", gateway.Build.Context, gateway.Build.Dockerfile))
	for _, service := range c.Services {
		for _, name := range service.Secrets {
			require.Contains(t, c.Secrets, name)
		}
	}
	t.Run("its Redis starts, wants the password and drops nothing", func(t *testing.T) {
		program, err := exec.LookPath("redis-server")
		if err != nil {
			t.Skip("there is no redis-server; .ci/tools installs it")
		}
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "redis_password"), []byte("a-password\n"), 0o600))
		script := strings.NewReplacer("$$", "$", "/run/secrets", dir, "dir /data", "port 0\nunixsocket "+dir+"/s\ndir "+dir).Replace(c.Services["redis"].Command[2])
		require.Contains(t, script, filepath.Base(program))
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		require.NoError(t, cmd.Start())
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}()
		ask := func(with string, args ...string) string {
			asks := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-s", dir + "/s"}, args...)...)
			asks.Env = append(os.Environ(), "REDISCLI_AUTH="+with)
			out, _ := asks.CombinedOutput() // the answer says what was wrong
			return string(out)
		}
		require.Eventually(t, func() bool { return ask("a-password", "ping") == "PONG\n" }, patience, patience/200)
		require.Contains(t, ask("", "ping"), "NOAUTH")
		require.Equal(t, "maxmemory-policy\nnoeviction\n", ask("a-password", "config", "get", "maxmemory-policy"))
		require.Equal(t, "appendonly\nyes\n", ask("a-password", "config", "get", "appendonly"))
	})
}

// at is what stands under keys of a YAML document; numbers are indexes.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch in := doc.(type) {
		case map[string]any:
			require.Contains(t, in, step)
			doc = in[step.(string)]
		case []any:
			doc = in[step.(int)]
		default:
			t.Fatalf("nothing under %v of %v", step, path)
		}
	}
	return doc
}

func TestKubernetes(t *testing.T) {
	kinds := map[string]map[string]any{}
	for _, d := range documents[map[string]any](t, deployed(t, "kubernetes.yaml")) {
		require.NotEmpty(t, at(t, d, "apiVersion"))
		name := at(t, d, "metadata", "name").(string)
		kinds[at(t, d, "kind").(string)+"/"+name] = d
	}
	deployment := kinds["Deployment/xuangate"]
	pod := at(t, deployment, "spec", "template", "spec")
	container := at(t, pod, "containers", 0)
	var secrets []string
	for name := range at(t, kinds["Secret/xuangate"], "stringData").(map[string]any) {
		secrets = append(secrets, name)
	}
	config := at(t, kinds["ConfigMap/xuangate"], "data", "xuangate.yaml").(string)
	set := shipped(t, config, "/run/secrets", secrets)
	sleep := at(t, container, "lifecycle", "preStop", "sleep", "seconds").(int)
	require.Greater(t, at(t, pod, "terminationGracePeriodSeconds").(int), sleep+int(set.Drain.Seconds())+1, "it is not killed while it drains")
	ports := map[string]string{}
	for _, p := range at(t, container, "ports").([]any) {
		ports[at(t, p, "name").(string)] = ":" + itoa(t, at(t, p, "containerPort"))
	}
	for name, addr := range map[string]string{"api": set.Addr, "inner": set.Inner.Addr, "ops": set.Ops.Addr} {
		require.True(t, strings.HasSuffix(addr, ports[name]), "%s is %s, and its port %s", name, addr, ports[name])
	}
	for probe, path := range map[string]string{"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/livez"} {
		require.Equal(t, path, at(t, container, probe, "httpGet", "path"))
		require.Equal(t, "ops", at(t, container, probe, "httpGet", "port"))
	}
	require.Equal(t, ports["ops"], ":"+at(t, deployment, "spec", "template", "metadata", "annotations", "prometheus.io/port").(string))
	require.Equal(t, true, at(t, pod, "securityContext", "runAsNonRoot"))
	require.Equal(t, true, at(t, container, "securityContext", "readOnlyRootFilesystem"))
	labels := at(t, deployment, "spec", "template", "metadata", "labels")
	require.Equal(t, labels, at(t, deployment, "spec", "selector", "matchLabels"))
	require.Equal(t, labels, at(t, kinds["PodDisruptionBudget/xuangate"], "spec", "selector", "matchLabels"))
	for service, port := range map[string]string{"Service/xuangate": "api", "Service/xuangate-inner": "inner"} {
		require.Equal(t, labels, at(t, kinds[service], "spec", "selector"))
		require.Equal(t, port, at(t, kinds[service], "spec", "ports", 0, "targetPort"))
	}
	for _, v := range at(t, container, "env").([]any) { // what is set there must be a setting
		name := at(t, v, "name").(string)
		if strings.HasPrefix(name, "XUANGATE_") {
			require.Contains(t, environment(t), name)
		}
	}
}

func itoa(t *testing.T, n any) string {
	t.Helper()
	raw, err := json.Marshal(n)
	require.NoError(t, err)
	return string(raw)
}

// environment are the names of all variables that a setting has.
func environment(t *testing.T) (names []string) {
	t.Helper()
	var line commandLine
	ctx, err := parse(&line, []string{"serve"}, &settings{env: noEnv}, output{io.Discard, io.Discard})
	require.NoError(t, err)
	for _, f := range ctx.Flags() {
		names = append(names, envName(f))
	}
	return names
}

func TestSystemdUnit(t *testing.T) {
	text := deployed(t, "xuangate.service")
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	require.NoError(t, err)
	set := map[string]string{}
	for _, o := range options {
		set[o.Section+"."+o.Name] = o.Value
	}
	require.Equal(t, "/bin/kill -HUP $MAINPID", set["Service.ExecReload"])
	require.Equal(t, "always", set["Service.Restart"])
	stop, err := time.ParseDuration(set["Service.TimeoutStopSec"])
	require.NoError(t, err)
	require.Greater(t, stop, node.Default().Drain+time.Second, "it is not killed while it drains")
	args := strings.Fields(set["Service.ExecStart"])
	require.True(t, slices.Contains(args, "serve"))

	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	file := filepath.Join(t.TempDir(), "xuangate.service")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, args[0], "/bin/true")), 0o600)) // it must be there
	out, err := exec.CommandContext(t.Context(), program, "verify", "--man=no", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
	out, err = exec.CommandContext(t.Context(), program, "security", "--offline=true", "--threshold=20", file).CombinedOutput()
	require.NoError(t, err, "its exposure is over 2.0:\n%s", out)
}

func TestCaddyfile(t *testing.T) {
	program, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("there is no caddy; .ci/tools installs it")
	}
	out, err := exec.CommandContext(t.Context(), program, "adapt", "--adapter", "caddyfile", "--config", "deploy/Caddyfile").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), `"flush_interval":-1`)
	require.Contains(t, string(out), `"dial":"`+node.Default().Addr+`"`)
}

func TestOperationsSettings(t *testing.T) {
	_, text, found := strings.Cut(deployed(t, "OPERATIONS.md"), "<!-- xuangate.yaml -->\n   ```yaml\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "```")
	c := shipped(t, strings.ReplaceAll(text, "\n   ", "\n")[3:], "/etc/xuangate", []string{"secret_key", "inner_key", "operator_password"})
	require.Equal(t, "xxd", c.Legacy.Mode)
}
