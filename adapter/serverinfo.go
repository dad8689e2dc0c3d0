package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// ServerInfo tells what is known of the chat server, and what can be done with it here. A server of Upstreams tells of itself when
// somebody signs in; a backend writes its version into each answer, and tells no more.
func (a *Adapter) ServerInfo(ctx context.Context, u legacy.UserID, apiScheme bool) (model.ServerInfo, error) {
	const op = "get server info"
	info, mode, frame := legacy.ServerInfo{}, a.mode, 0
	if a.links != nil {
		var err error
		if info, err = a.links.serverInfo(ctx, u); err != nil {
			return model.ServerInfo{}, noAnswer(op, err)
		}
		mode, frame = a.links.ups.Mode, a.links.ups.MaxFrame
	} else {
		r, err := a.read(ctx, op, legacy.Chat(u, "ping"))
		if err != nil {
			return model.ServerInfo{}, err
		}
		info.Version = r.Version
	}
	maxFile, err := a.fileLimit(ctx, op, u)
	if err != nil {
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

// fileLimit is the largest file in bytes that u can upload, 0 where none can be.
func (a *Adapter) fileLimit(ctx context.Context, op string, u legacy.UserID) (int64, error) {
	if a.has(op, model.CapabilityFiles) != nil {
		return 0, nil
	}
	n, err := a.depot.limit(ctx, u)
	if errors.Is(err, errNoDepot) {
		return 0, nil
	}
	return n, err
}

// capabilities is what can be done here and not everywhere.
func (a *Adapter) capabilities(files bool) []model.Capability {
	list := []model.Capability{
		model.CapabilityDismiss, model.CapabilityMute, model.CapabilityCategory, model.CapabilityProfile, model.CapabilityExtensions,
		model.CapabilityTodos, model.CapabilityNotices, model.CapabilityEditSystem,
	}
	if files {
		list = append(list, model.CapabilityFiles)
	}
	if a.apps != nil {
		list = append(list, model.CapabilityApplicationAPI)
	}
	if a.links == nil {
		list = append(list, model.CapabilityActForAnyUser)
		if a.mode == model.ModeInline {
			list = append(list, model.CapabilityBesideDesktopClients)
		}
		return list
	}
	list = slices.DeleteFunc(list, func(c model.Capability) bool { return a.has("tell capabilities", c) != nil })
	return append(list, model.CapabilityBesideDesktopClients)
}

// has refuses what the server's version does not have, before anything else is looked at or done.
func (a *Adapter) has(op string, c model.Capability) error {
	if a.links == nil {
		return nil
	}
	if err := a.links.ups.Lacks[c]; err != nil {
		return noAnswer(op, err)
	}
	return nil
}

// verbatim is what the server told in its own form, nil for nothing.
func verbatim(told json.RawMessage) any {
	if len(told) == 0 {
		return nil
	}
	return told
}
