package adapter

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// ServerInfo tells what is known of the chat server, and what can be done with it here. An xxd tells of itself when somebody
// signs in; a backend writes its version into each answer, and tells no more.
func (a *Adapter) ServerInfo(ctx context.Context, u legacy.UserID, apiScheme bool) (model.ServerInfo, error) {
	const op = "get server info"
	info, mode, frame := legacy.ServerInfo{}, model.ModeXxb, 0
	if a.links != nil {
		var err error
		if info, err = a.links.serverInfo(ctx, u); err != nil {
			return model.ServerInfo{}, noAnswer(op, err)
		}
		mode, frame = model.ModeXxd, legacy.MaxFrame
	} else {
		r, err := a.read(ctx, op, legacy.Chat(u, "ping"))
		if err != nil {
			return model.ServerInfo{}, err
		}
		info.Version = r.Version
	}
	maxFile, err := a.depot.limit(ctx, u)
	if err != nil && !errors.Is(err, errNoDepot) {
		return model.ServerInfo{}, err
	}
	if !apiScheme {
		info.APIScheme = nil
	}
	return model.ServerInfo{
		Version: string(info.Version), Mode: mode, UploadFileSize: maxFile,
		MaxContent: a.maxContent, MaxFrame: frame, MaxSettings: maxSettings,
		ApiScheme: verbatim(info.APIScheme), ClientUpdate: verbatim(info.ClientUpdate), Push: verbatim(info.Push),
		Capabilities: a.capabilities(maxFile > 0),
	}, nil
}

// capabilities is what can be done here and not everywhere.
func (a *Adapter) capabilities(files bool) []model.Capability {
	list := []model.Capability{model.CapabilityActForAnyUser}
	if a.links != nil {
		list = []model.Capability{model.CapabilityBesideDesktopClients}
	}
	if files {
		list = append(list, model.CapabilityFiles)
	}
	if a.apps != nil {
		list = append(list, model.CapabilityApplicationAPI)
	}
	return list
}

// verbatim is what the server told in its own form, nil for nothing.
func verbatim(told json.RawMessage) any {
	if len(told) == 0 {
		return nil
	}
	return told
}
