package adapter

import (
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// noticeEvents translates notices for the users in to, by id.
func (a *Adapter) noticeEvents(rows []legacy.NoticeRow, to []legacy.UserID) []Event {
	slices.SortFunc(rows, func(a, b legacy.NoticeRow) int { return int(a.ID - b.ID) })
	events := make([]Event, len(rows))
	for i, row := range rows {
		events[i] = Event{
			Kind: model.EventKindNotification, To: Recipients{Users: to}, Data: a.notification(row), Once: string(row.GID),
		}
	}
	return events
}

func (a *Adapter) notification(row legacy.NoticeRow) model.Notification {
	n := model.Notification{
		Id: string(row.GID), Title: a.emoji.read(0, string(row.Title)), Subtitle: string(row.Subtitle),
		Type: typeOf(string(row.ContentType)), SendTime: row.Date.Unix(a.zone) * 1e6, Url: string(row.URL),
		Sender: model.NotificationSender{Id: string(row.Sender.ID), Name: string(row.Sender.Name), Avatar: string(row.Sender.Avatar)},
	}
	n.Content = a.emoji.read(n.Type, string(row.Content))
	for _, act := range row.Actions {
		n.Actions = append(n.Actions, model.NotificationAction{
			Label: string(act.Label), Url: string(act.URL), Type: string(act.Type), Icon: string(act.Icon),
		})
	}
	return n
}
