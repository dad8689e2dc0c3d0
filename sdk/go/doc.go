// Package sdk is the Go client of Xuangate, a chat API in front of a Xuanxuan (喧喧) installation.
//
//	client, err := sdk.New("https://chat.example.com", sdk.Options{})
//	login, err := client.Login(ctx, "alice", "123456", 1)
//	id, err := client.Send(ctx, sdk.Draft{ConversationId: conversation, Type: sdk.Plain, Content: "hello"})
//
//	for event, err := range client.Events(ctx, "") {
//		if err != nil {
//			return err // nothing more comes; the error says why
//		}
//		if m := event.Message; m != nil {
//			fmt.Println(m.FromSession, m.Content)
//		}
//	}
//
// # Calls
//
// The methods of [Client] cover what a chat program does all the time. [Client.API] has every operation of the API, generated
// from its description. Both go the same way: a call that did not work returns an [*Error], which is one of the Err… values to
// [errors.Is], and has the server's sentence, how long it asks to wait, and the request id under which the server's log has it.
//
// Calls that are safe to repeat are repeated when the network or the server behind fails: reads, and Send, to which the SDK
// gives an id of its own so that the message is stored once. See [Repeatable].
//
// # Events
//
// [Client.Events] is an endless sequence over server-sent events, WebSocket or long poll, whichever gets through. It keeps its
// place: after a broken connection it goes on where it was, nothing missing and nothing twice. Where that is impossible, because
// the server no longer keeps what was missed, it says so with an event of kind [Reset]. It ends only for good: when its
// context ends, when the token does (ErrInvalidToken, ErrSignedInElsewhere), or when the stream gave way to a newer one
// (ErrSuperseded). [Options.OnState] tells how the connection is meanwhile.
//
// # Tokens
//
// [Options.NewToken] is asked for another token when the one in use has expired or is unknown; calls are then made once more, and
// events go on where they were. Without it they fail, and end. A token that was revoked, or ended by a sign-in elsewhere, under an
// open stream ends its events either way: somebody meant that. A token is only ever sent in a
// header, never in an address.
//
// # Files
//
// [Client.Upload] and [Client.Download] move files of any size without holding them in memory, and tell their progress. A download
// that breaks goes on from where it was.
package sdk
