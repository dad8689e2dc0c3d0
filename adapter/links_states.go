package adapter

import "github.com/xuangate/xuangate/gen/model"

// Links counts the users' connections by state, each state that there is; nil in mode xxb, where users have none.
func (a *Adapter) Links() map[model.UpstreamState]int {
	if a.links == nil {
		return nil
	}
	count := map[model.UpstreamState]int{
		model.UpstreamOnline: 0, model.UpstreamConnecting: 0, model.UpstreamBackoff: 0,
		model.UpstreamOffline: 0, model.UpstreamKicked: 0, model.UpstreamRefused: 0,
	}
	for _, k := range a.links.all() {
		k.mu.Lock()
		count[k.state]++
		k.mu.Unlock()
	}
	return count
}

// Dropped counts what legacy told us for nobody.
func (a *Adapter) Dropped() int64 { return a.dropped.Load() }
