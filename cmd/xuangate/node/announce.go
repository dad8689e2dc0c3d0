package node

import (
	"log/slog"
	"strings"
)

// announce tells the operator, and whoever waits for it, that the node listens.
func (c Config) announce(log *slog.Logger, doors []door, back *backdoor, ops *door) {
	at := Addresses{API: doors[0].listener.Addr()}
	behind := c.Legacy.XXB.URL
	switch c.Legacy.Mode {
	case "xxd":
		behind = c.Legacy.XXD.URL
	case "v1":
		behind = c.Legacy.V1.Addr
	}
	attrs := []any{"addr", at.API.String(), "mode", c.Legacy.Mode, "legacy", behind}
	if len(doors) > 1 {
		at.Inner = doors[1].listener.Addr()
		attrs = append(attrs, "inner", at.Inner.String())
	}
	if back != nil {
		at.Backend = back.listener.Addr()
		attrs = append(attrs, "backend", at.Backend.String())
	}
	if ops != nil {
		at.Ops = ops.listener.Addr()
		attrs = append(attrs, "ops", at.Ops.String())
	}
	log.Info("listening", attrs...)
	if risk := c.Inner.inClear(); risk != "" && at.Inner != nil {
		log.Warn(risk)
	}
	switch {
	case c.Legacy.Mode == "xxb" && !c.Dev:
		log.Warn(onlyServer)
	case c.Legacy.Mode == "xxd", c.Legacy.Mode == "inline" && !c.Dev:
		for _, risk := range c.Legacy.XXD.risks() {
			log.Warn(risk)
		}
	case c.Legacy.Mode == "v1" && !c.Dev:
		log.Warn(inClear)
	}
	if c.Ready != nil {
		c.Ready(at)
	}
}

// onlyServer is what an operator must know about mode xxb: the backend counts desktop users as online and keeps no
// offline copy for them, and their own chat server is never told.
const onlyServer = "mode xxb: Xuangate must be the only chat server of this installation; " +
	"desktop users signed in through an xxd would never hear of its messages"

// inClear is what an operator must know about mode v1.
const inClear = "legacy.v1.addr: 1.0 knows no encryption, so whoever is in between reads passwords (as MD5, which is enough to sign in) and messages"

// risks are what an operator must know about a chat server that anybody could pose as.
func (x XXD) risks() (risks []string) {
	if x.Insecure {
		risks = append(risks, "legacy.xxd.insecure: any certificate of the chat server is believed, "+
			"so whoever is in between reads passwords and messages; legacy.xxd.fingerprint is as easy, and safe")
	}
	if strings.HasPrefix(x.URL, "http:") {
		risks = append(risks, "legacy.xxd.url: is http, so whoever is in between reads passwords and messages")
	}
	return risks
}
