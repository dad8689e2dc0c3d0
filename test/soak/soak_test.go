package soak

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/server"
)

var (
	minutes = flag.Float64("minutes", 0.02, "how long people come and go; from 10 minutes on growth is judged")
	load    = flag.Float64("rate", 20, "how many requests a second each gateway gets at most")
)

func TestSoak(t *testing.T) {
	long := time.Duration(*minutes * float64(time.Minute))
	delay, ttl, pace, every := 100*time.Millisecond, 2*time.Minute, 2*time.Second, max(long/60, 500*time.Millisecond)
	perSecond := *load
	if long < time.Minute { // only to see that it works
		delay, pace, perSecond = 2*time.Millisecond, 200*time.Millisecond, 1000
	}
	sites := []*site{newSite(t, "xxb", 0, ttl, perSecond), newSite(t, "xxd", delay, ttl, perSecond)}
	samples := make([][]sample, len(sites))
	begun, over := time.Now(), make(chan struct{})
	time.AfterFunc(long, func() { close(over) })
	var all sync.WaitGroup
	for i, s := range sites {
		all.Go(func() { s.use(t.Context(), over, pace) })
		all.Go(func() { samples[i] = s.watch(t, begun, every, over) })
	}
	all.Wait()
	for i, s := range sites {
		t.Logf("%s: %d visits, %d events heard\n%s", s, s.visits.Load(), s.heard.Load(), table(samples[i]))
		require.Empty(t, s.faults(), "%s", s)
		require.NoError(t, s.covered(), "%s", s)
	}
	for i, s := range sites {
		require.Empty(t, growing(samples[i]), "%s", s)
	}
}

// watch takes samples until over is closed.
func (s *site) watch(t *testing.T, begun time.Time, every time.Duration, over <-chan struct{}) (list []sample) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last sample
	for {
		select {
		case <-tick.C:
		case <-over:
			return list
		}
		now, err := s.sample(begun, last)
		if err != nil {
			s.fault("look at the gateway: %v", err)
			continue
		}
		list, last = append(list, now), now
		t.Logf("%s, %s: heap %.1f MB, rss %.1f MB, %.0f goroutines, %.0f descriptors, %.1f requests/s, %.1f deliveries/s, %.0f errors",
			s, now.at.Round(time.Second), now.heap/mega, now.rss/mega, now.goroutines, now.fds, now.perSecond, now.ds, now.errors)
	}
}

// covered says which operations nobody has used with success.
func (s *site) covered() error {
	page, err := s.scrape()
	if err != nil {
		return err
	}
	spec, err := server.GetSpec()
	if err != nil {
		return err
	}
	var left []string
	for _, item := range spec.Paths.Map() {
		for _, op := range item.Operations() {
			if sum(page["xuangate_requests_total"], func(l map[string]string) bool { return l["operation"] == op.OperationID && l["code"] == "0" }) == 0 {
				left = append(left, op.OperationID)
			}
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("nobody has used %s", strings.Join(left, ", "))
	}
	return nil
}

// growing are the series that have grown by more than they may.
func growing(list []sample) (found []string) {
	if list = warm(list); list == nil {
		return nil
	}
	for _, f := range judged {
		if grown, may := f.grown(list); grown > may {
			found = append(found, fmt.Sprintf("%s grew by %.2f in %s, and may by %.2f", f.name, grown/f.unit, (list[len(list)-1].at-list[0].at).Round(time.Second), may/f.unit))
		}
	}
	return found
}

// table is what was seen, about ten lines of it, and the slopes.
func table(list []sample) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	columns := append(append([]series{}, judged...), shown...)
	row := func(head string, value func(series) float64) {
		fmt.Fprintf(w, "%s\t", head)
		for _, f := range columns {
			fmt.Fprintf(w, "%.1f\t", value(f)/f.unit)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "after\t")
	for _, f := range columns {
		fmt.Fprintf(w, "%s\t", f.name)
	}
	fmt.Fprintln(w)
	for i, s := range list {
		if i%max(len(list)/10, 1) == 0 || i == len(list)-1 {
			row(s.at.Round(time.Second).String(), func(f series) float64 { return f.of(s) })
		}
	}
	if judged := warm(list); judged != nil {
		row("slope an hour", func(f series) float64 { return f.slope(judged) })
	}
	_ = w.Flush() // to a strings.Builder
	return b.String()
}
