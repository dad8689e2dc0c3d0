// Package adapter translates the facade's operations into calls of the legacy servers, and what those servers say into
// events. It knows both vocabularies and neither HTTP nor the wire: above it stands gateway, below it a Caller.
//
// Legacy trusts its clients, so everything that may go wrong is decided here before a call goes out: who is a member,
// who may do what, whether the server can store what was sent. Recipients of events are computed from conversations'
// members, never taken from legacy, whose own lists name only those online.
//
// Below it stands either one Caller that asks for every user (mode xxb), or Upstreams, to which each user signs in by
// himself (modes xxd and v1): links keeps one connection a user, tells what it hears (events.go), and after every connection what
// it missed (gap.go). The translation above is the same, and speaks the calls of 2.x alone: a server of another version is an
// Upstream that rewrites them, and says by a legacy.UnsupportedError what it cannot do.
//
// Where several nodes stand before one server, each user's link stands at one of them, by a claim (links_claims.go): the others take over
// what a node leaves behind that dies (links_abandoned.go) or ends (links_handover.go), and a call goes over a link wherever it is.
//
// In mode inline desktop clients go through us too (adapter/inline): what they do is overheard (overheard.go), and what is asked
// here is told to them by the Caller.
//
// Files do not come as calls: depots.go sends them where they are kept. Legacy gives any file to whoever names it, so our
// ids of files are signed (fileid.go), hold for the members of one chat, and no message goes out that names a file its sender
// may not read (filecontent.go).
//
// An Adapter stores nothing but caches that may be lost; what must outlive it of a user is sealed and given away (vault.go).
package adapter
