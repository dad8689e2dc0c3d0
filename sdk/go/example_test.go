package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	sdk "github.com/xuangate/xuangate/sdk/go"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// gateway runs a gateway on the reference chat server until stop is called.
func gateway() (url string, stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	behind, err := xuanxuan.Start(ctx, xuanxuan.Options{}, "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	c := node.Default()
	c.Addr, c.Dev, c.Drain, c.LogTo = "127.0.0.1:0", true, time.Second, io.Discard
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = behind.URL(), xuanxuan.DefaultKey
	dir, err := os.MkdirTemp("", "xuangate-files-")
	if err != nil {
		log.Fatal(err)
	}
	c.Files.Dir = dir
	ready := make(chan node.Addresses, 1)
	c.Ready = func(at node.Addresses) { ready <- at }
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx, c) }()
	select {
	case at := <-ready:
		url = "http://" + at.API.String()
	case err := <-ended:
		log.Fatal(err)
	}
	return url, func() {
		cancel()
		if err := errors.Join(<-ended, behind.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

func Example() {
	url, stop := gateway()
	defer stop()
	ctx := context.Background()

	alice, err := sdk.New(url, sdk.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	if _, err := alice.Login(ctx, "alice", "123456", 1); err != nil {
		log.Fatal(err)
	}
	team, err := alice.CreateGroup(ctx, "周报", "5", "6") // bob and carol
	if err != nil {
		log.Fatal(err)
	}
	if _, err := alice.Send(ctx, sdk.Draft{ConversationId: team, Type: sdk.Plain, Content: "大家好"}); err != nil {
		log.Fatal(err)
	}
	messages, err := alice.LastMessages(ctx, team)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range messages {
		fmt.Println(m.FromSession, m.Content)
	}
	// Output: 4 大家好
}

func ExampleClient_Events() {
	url, stop := gateway()
	defer stop()
	ctx := context.Background()

	alice, bob := signIn(url, "alice"), signIn(url, "bob")
	defer alice.Close()
	defer bob.Close()
	talk, err := alice.OpenOneToOne(ctx, "5")
	if err != nil {
		log.Fatal(err)
	}
	// Nobody listens for bob yet, so these wait for him.
	for _, text := range []string{"are you there?", "lunch?"} {
		if _, err := alice.Send(ctx, sdk.Draft{ConversationId: talk, Type: sdk.Plain, Content: text}); err != nil {
			log.Fatal(err)
		}
	}
	for event, err := range bob.Events(ctx, "") {
		if err != nil {
			log.Fatal(err) // it is over for good; the error says why
		}
		if m := event.Message; m != nil {
			fmt.Println(m.FromSession, m.Content)
			if m.Content == "lunch?" {
				break
			}
		}
	}
	// Output:
	// 4 are you there?
	// 4 lunch?
}

func ExampleClient_Events_signedInElsewhere() {
	url, stop := gateway()
	defer stop()

	first, err := sdk.New(url, sdk.Options{OnState: func(s sdk.State) {
		if s.Phase == sdk.Online { // now sign in again, on the same platform
			signIn(url, "alice").Close()
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Login(context.Background(), "alice", "123456", 1); err != nil {
		log.Fatal(err)
	}
	for _, err := range first.Events(context.Background(), "") {
		if errors.Is(err, sdk.ErrSignedInElsewhere) {
			fmt.Println("signed in elsewhere")
		}
	}
	// Output: signed in elsewhere
}

func ExampleError() {
	url, stop := gateway()
	defer stop()
	alice := signIn(url, "alice")
	defer alice.Close()

	_, err := alice.Send(context.Background(), sdk.Draft{ConversationId: "nowhere", Content: "hello?"})
	var e *sdk.Error
	if errors.Is(err, sdk.ErrNotFound) && errors.As(err, &e) {
		fmt.Println(e.Code, e.Text)
	}
	// Output: 10005 no such conversation, or you are not a member of it
}

func signIn(url, account string) *sdk.Client {
	c, err := sdk.New(url, sdk.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Login(context.Background(), account, "123456", 1); err != nil {
		log.Fatal(err)
	}
	return c
}
