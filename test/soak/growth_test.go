package soak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGrowth holds the verdict itself to what it says.
func TestGrowth(t *testing.T) {
	// half an hour of samples: much changes in the warm-up, then all goes up and down without getting anywhere.
	steady := func(i int) sample {
		wave := float64(i%2) * 4
		s := sample{at: time.Duration(i+1) * 30 * time.Second, heap: (20 + wave) * mega, rss: (70 + 2*wave) * mega, goroutines: 150 + 5*wave, fds: 60 + wave}
		if i < 18 {
			s.heap, s.goroutines = float64(i)*mega, float64(i)
		}
		return s
	}
	run := func(n int, change func(i int, s *sample)) (list []sample) {
		for i := range n {
			s := steady(i)
			change(i, &s)
			list = append(list, s)
		}
		return list
	}
	still := func(int, *sample) {}
	require.Empty(t, growing(run(60, still)))
	require.InDelta(t, 0, judged[0].slope(warm(run(60, still)))/mega, 1)
	for name, leak := range map[string]func(i int, s *sample){
		"heap MB grew by 10":     func(i int, s *sample) { s.heap += float64(i) * .25 * mega },
		"rss MB grew by 40":      func(i int, s *sample) { s.rss += float64(i) * mega },
		"goroutines grew by 80":  func(i int, s *sample) { s.goroutines += float64(2 * i) },
		"descriptors grew by 40": func(i int, s *sample) { s.fds += float64(i) },
	} {
		found := growing(run(60, leak))
		require.Len(t, found, 1)
		require.Contains(t, found[0], name)
		require.Empty(t, growing(run(minJudged, leak)), "too few to say")
	}
	require.Empty(t, growing(run(60, func(i int, s *sample) { s.heap -= float64(i) * .25 * mega })), "less is fine")
	require.InDelta(t, 120, judged[2].slope(run(60, func(i int, s *sample) { s.goroutines = float64(i) })), 1e-6, "one each half minute")
	require.Empty(t, growing(nil))
	require.Contains(t, table(run(60, still)), "slope an hour")
	require.NotContains(t, table(run(minJudged, still)), "slope an hour")
}
