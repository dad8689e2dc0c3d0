package soak

import (
	"fmt"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A sample is how a gateway was at a time.
type sample struct {
	at                    time.Duration // since the beginning
	heap                  float64       // bytes in use after a garbage collection
	rss                   float64       // bytes as the system counts them
	goroutines, fds       float64
	requests, deliveries  float64 // so far
	errors, perSecond, ds float64 // answers so far that say we are at fault, or the chat server; requests and deliveries a second since the sample before
}

// meant are the codes of answers that visits ask for.
var meant = map[string]bool{"0": true, "10001": true, "10003": true, "10005": true, "10104": true, "10101": true}

// sample looks at the gateway from outside, as its operator does.
func (s *site) sample(begun time.Time, before sample) (sample, error) {
	for range 2 { // the second collection frees what finalizers let go
		res, err := s.ops.Get(s.at.Ops + "/debug/pprof/heap?gc=1")
		if err != nil {
			return sample{}, err
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			return sample{}, fmt.Errorf("profile of the heap: status %d: %w", res.StatusCode, err)
		}
	}
	page, err := s.scrape()
	if err != nil {
		return sample{}, err
	}
	now := sample{
		at:   time.Since(begun),
		heap: sum(page["go_memstats_heap_alloc_bytes"], nil), rss: sum(page["process_resident_memory_bytes"], nil),
		goroutines: sum(page["go_goroutines"], nil), fds: sum(page["process_open_fds"], nil),
		requests: sum(page["xuangate_requests_total"], nil), deliveries: sum(page["xuangate_deliveries_total"], nil),
	}
	now.errors = sum(page["xuangate_requests_total"], func(l map[string]string) bool { return !meant[l["code"]] })
	if took := (now.at - before.at).Seconds(); took > 0 {
		now.perSecond, now.ds = (now.requests-before.requests)/took, (now.deliveries-before.deliveries)/took
	}
	return now, nil
}

func (s *site) scrape() (map[string]*dto.MetricFamily, error) {
	res, err := s.ops.Get(s.at.Ops + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(res.Body)
}

// sum adds up the values of a metric whose labels match; nil matches all.
func sum(f *dto.MetricFamily, match func(labels map[string]string) bool) (total float64) {
	for _, m := range f.GetMetric() {
		labels := map[string]string{}
		for _, l := range m.Label {
			labels[l.GetName()] = l.GetValue()
		}
		if match == nil || match(labels) {
			total += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return total
}

// A series is one thing that must not grow.
type series struct {
	name string
	of   func(sample) float64
	unit float64 // what a figure in the table stands for
	// What it may grow by while it is judged, or the machine's moods would decide: a part of its mean, and so much.
	part, more float64
}

const mega = 1e6

// judged are the series whose growth fails the test. A leak of a goroutine, or of a descriptor, a visit is some hundred in a run of half
// an hour; one of a hundred bytes a request some megabytes.
var judged = []series{
	{"heap MB", func(s sample) float64 { return s.heap }, mega, .1, 2 * mega},
	{"rss MB", func(s sample) float64 { return s.rss }, mega, .2, 16 * mega},
	{"goroutines", func(s sample) float64 { return s.goroutines }, 1, .1, 25},
	{"descriptors", func(s sample) float64 { return s.fds }, 1, .1, 25},
}

// shown are series that are told, and may be as they like.
var shown = []series{
	{name: "requests/s", of: func(s sample) float64 { return s.perSecond }, unit: 1},
	{name: "deliveries/s", of: func(s sample) float64 { return s.ds }, unit: 1},
	{name: "errors", of: func(s sample) float64 { return s.errors }, unit: 1},
}

// minJudged is how many samples a slope is made of at least, and minSpan over how long. Less says nothing.
const (
	minJudged = 20
	minSpan   = 5 * time.Minute
)

// warm are the samples after the warm-up, the first third of the time; nil where they are too few.
func warm(list []sample) []sample {
	for i, s := range list {
		if end := list[len(list)-1].at; s.at >= end/3 && end-s.at >= minSpan && len(list)-i >= minJudged {
			return list[i:]
		}
	}
	return nil
}

// slope is by how much a series grows in an hour: the line of least squares.
func (f series) slope(list []sample) float64 {
	n := float64(len(list))
	var x, y float64
	for _, s := range list {
		x, y = x+s.at.Hours()/n, y+f.of(s)/n
	}
	var over, under float64
	for _, s := range list {
		over += (s.at.Hours() - x) * (f.of(s) - y)
		under += (s.at.Hours() - x) * (s.at.Hours() - x)
	}
	if under == 0 {
		return 0
	}
	return over / under
}

// grown says by how much a series has grown over samples, and how much it may.
func (f series) grown(list []sample) (grown, may float64) {
	for _, s := range list {
		may += f.of(s) / float64(len(list))
	}
	return f.slope(list) * (list[len(list)-1].at - list[0].at).Hours(), may*f.part + f.more
}
