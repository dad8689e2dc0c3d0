package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/metrics"
)

var (
	fqName = regexp.MustCompile(`fqName: "([a-z_]+)"`)
	labels = regexp.MustCompile(`variableLabels: {([a-z_,]*)}`)
)

// families are the metrics that a node has, with their labels.
func families(t *testing.T) map[string][]string {
	t.Helper()
	m := metrics.New()
	m.Watch(metrics.State{})
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		m.Describe(descs)
	}()
	all := map[string][]string{"up": nil}
	for d := range descs {
		all[fqName.FindStringSubmatch(d.String())[1]] = strings.Split(labels.FindStringSubmatch(d.String())[1], ",")
	}
	require.Contains(t, all["xuangate_requests_total"], "code")
	return all
}

// queried are the families that a PromQL query asks for; asking for one that no node has, or by a label that it does not have, is a fault.
func queried(t *testing.T, has map[string][]string, query string) (names []string) {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$job", ".*").Replace(query)
	read, err := metricsql.Parse(query)
	require.NoError(t, err, query)
	known := []string{"instance", "job", "le", "__name__"}
	metricsql.VisitAll(read, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filter := range m.LabelFilterss {
			name := strings.TrimSuffix(filter[0].Value, "_bucket")
			require.Equal(t, "__name__", filter[0].Label, query)
			require.Contains(t, has, name, query)
			names = append(names, name)
			known = append(known, has[name]...)
		}
	})
	require.NotEmpty(t, names, query)
	metricsql.VisitAll(read, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			for _, filters := range e.LabelFilterss {
				for _, f := range filters {
					require.Contains(t, known, f.Label, query)
				}
			}
		case *metricsql.AggrFuncExpr:
			require.Subset(t, known, e.Modifier.Args, query)
		}
	})
	return names
}

func TestPrometheusAlerts(t *testing.T) {
	type rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	has := families(t)
	page := deployed(t, "OPERATIONS.md")
	require.Contains(t, page, "prometheus-alerts.yaml")
	seen := map[string]bool{}
	for _, group := range documents[rules](t, deployed(t, "prometheus-alerts.yaml"))[0].Groups {
		for _, rule := range group.Rules {
			require.False(t, seen[rule.Alert], rule.Alert)
			seen[rule.Alert] = true
			queried(t, has, rule.Expr)
			if rule.For != "" {
				_, err := model.ParseDuration(rule.For)
				require.NoError(t, err, rule.Alert)
			}
			require.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["description"], rule.Alert)
		}
	}
	require.NotEmpty(t, seen)
}

func TestGrafanaShowsEveryMetric(t *testing.T) {
	var dashboard struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Name string } }
	}
	require.NoError(t, json.Unmarshal([]byte(deployed(t, "grafana.json")), &dashboard))
	has, shown, ids, taken := families(t), map[string]bool{}, map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		require.False(t, ids[p.ID], p.Title)
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s lies on another panel", p.Title)
				require.Less(t, x, 24, p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			for _, name := range queried(t, has, target.Expr) {
				shown[name] = true
			}
		}
	}
	for name := range has {
		if strings.HasPrefix(name, "xuangate_") {
			require.True(t, shown[name], "no panel shows %s", name)
		}
	}
}
