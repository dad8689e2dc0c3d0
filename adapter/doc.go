// Package adapter translates the facade's operations into calls of the legacy servers, and what those servers say into
// events. It knows both vocabularies and neither HTTP nor the wire: above it stands gateway, below it a Caller.
//
// Legacy trusts its clients, so everything that may go wrong is decided here before a call goes out: who is a member,
// who may do what, whether the server can store what was sent. Recipients of events are computed from conversations'
// members, never taken from legacy, whose own lists name only those online.
//
// An Adapter stores nothing but caches that may be lost.
package adapter
