package adapter

import (
	"hash/fnv"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// A MsgId is 80 bits: the legacy id (40), its date in Unix seconds (32), and a check over both and the chat (8). So ids
// sort as strings in the order in which legacy stored the messages, and name a message without any table of ours; the
// date is what makes it findable in legacy's history. The check catches slips, it is no guard.
type msgID struct {
	id   legacy.MessageID
	date uint32
}

// msgAlphabet holds 32 characters in ASCII order, five bits each; those that look alike (0 O 1 I) are left out.
const msgAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

const maxMessageID = 1<<40 - 1

var msgDigit = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range []byte(msgAlphabet) {
		t[c] = int8(i)
	}
	return t
}()

func newMsgID(id legacy.MessageID, unix int64) msgID {
	if unix < 1 || unix > 1<<32-1 {
		unix = 1
	}
	return msgID{id: id, date: uint32(unix)}
}

func (m msgID) bytes(chat legacy.ChatGID) [10]byte {
	var b [10]byte
	for i := range 5 {
		b[i] = byte(m.id >> (8 * (4 - i)))
	}
	for i := range 4 {
		b[5+i] = byte(m.date >> (8 * (3 - i)))
	}
	h := fnv.New32a()
	h.Write([]byte(chat))
	h.Write(b[:9])
	s := h.Sum32()
	b[9] = byte(s ^ s>>8 ^ s>>16 ^ s>>24)
	return b
}

// format writes XXXXX-XXXX-XXXX-XXX.
func (m msgID) format(chat legacy.ChatGID) model.MsgId {
	b := m.bytes(chat)
	out := make([]byte, 0, 19)
	for i := range 16 {
		if i == 5 || i == 9 || i == 13 {
			out = append(out, '-')
		}
		bit := i * 5
		v := uint16(b[bit/8]) << 8
		if bit/8+1 < len(b) {
			v |= uint16(b[bit/8+1])
		}
		out = append(out, msgAlphabet[v>>(11-bit%8)&31])
	}
	return model.MsgId(out)
}

// parseMsgID reads a MsgId of chat. What format did not write is refused.
func parseMsgID(param string, s model.MsgId, chat legacy.ChatGID) (msgID, error) {
	bad := refuse("read message id", model.InvalidParameter, "%s: not a message id of this conversation", param)
	digits := strings.ReplaceAll(s, "-", "")
	if len(s) != 19 || len(digits) != 16 {
		return msgID{}, bad
	}
	var hi, lo uint64 // the first 40 bits and the last 40
	for i, c := range []byte(digits) {
		d := msgDigit[c]
		if d < 0 {
			return msgID{}, bad
		}
		if i < 8 {
			hi = hi<<5 | uint64(d)
		} else {
			lo = lo<<5 | uint64(d)
		}
	}
	m := msgID{id: legacy.MessageID(hi), date: uint32(lo >> 8)}
	if m.id == 0 || m.date == 0 || m.format(chat) != s {
		return msgID{}, bad
	}
	return m, nil
}
