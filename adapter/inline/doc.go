// Package inline stands between an unchanged xxd and its unchanged backend, so that web and desktop users live together: one line
// of xxd.conf names us as the backend.
//
// Two ways lead through it. What desktops do passes by on its way to the backend (endpoint.go, request.go, logins.go): the call
// goes on byte for byte under the backend's own name, and the answer comes back byte for byte once it has become events. What web
// users do is asked of the backend as in mode xxb (caller.go), and the answer handed to xxd as the answer to a call of our own
// bot, who is signed in there (bot.go, outbox.go): xxd writes it anew for its clients, so they get the very bytes that a native
// call would have brought.
//
// A bot's account exists nowhere. xxd asks its backend about it, which is us; so its login costs no user, no row and no password,
// and the answer to it has a method that clients drop unseen. The bot relays by name: it calls xuangate/relay with a nonce, and
// xxd asks us for what that is. A mark behind every few frames is told to the bot alone; once it hears it, all before has been
// handed out. That is the acknowledgement, the flow control and the heartbeat in one.
//
// Faults of legacy are cured in passing where it can be done without changing what clients see otherwise (cures.go); each cure
// can be left out, and with all of them left out the endpoint alters nothing but what concerns the bot.
//
// Who is where (people.go) decides what xxd may tell the backend: its logouts and ticks know nothing of web users, nor of other
// xxds. And it decides whose frames may have been lost (ring.go): between the backend's answer to a login and the moment when xxd
// delivers to him, and before the end of a connection is noticed, nobody keeps a copy but us.
//
// Answers become events before they go on. A call whose answer a crash of ours has swallowed is made again by xxd, and the
// backend answers a message that it has with the stored row: so it is told after all, once.
//
// Of several nodes one is active, by a lease (lead.go): it alone is in the chat servers and knows who is where, for that is to be
// known across all of them. The others hand on to it what they are asked, by xxds and by web users (nodes.go), and wait for the next one while there is none;
// so no proxy in front needs to know which one is active, and no call is lost to one that is not.
//
// What the next one must know is in Redis (shared.go): each person as he is, and a stream of frames, each of which also says since
// when the bots had some left to hand out. Those are told again. Without Redis it is memory that may be lost, but for one thing: after
// a start it is not known who is on a desktop. Until every client must have said something, nobody is set offline (Config.Settle).
package inline
