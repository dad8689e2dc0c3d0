package adapter

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestGoldenSettings(t *testing.T) {
	desktop := `{"ui.theme":"dark","n":1.50,"list":[],"none":{},"big":9223372036854775807,"xuangate":{"theme":"light"}}`
	for name, c := range map[string]struct {
		answers map[string]string
		do      func(context.Context, *Adapter) (any, error)
	}{
		"get_settings": {
			map[string]string{"settings": frame("settings", `{"xuangate":{"theme":"dark","n":1}}`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Settings(ctx, 4) },
		},
		"get_settings_none": {
			map[string]string{"settings": frame("settings", `null`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Settings(ctx, 4) },
		},
		"save_settings": { // the same as before: one answer is both the reading's and the writing's
			map[string]string{"settings": frame("settings", desktop)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.SaveSettings(ctx, 4, map[string]any{"theme": "light"})
			},
		},
	} {
		t.Run(name, func(t *testing.T) { pin(t, name, c.answers, c.do) })
	}
}

func TestSettingsThatAreNotOurs(t *testing.T) {
	for _, kept := range []string{`"{\"x\":1}"`, `[1]`, `5`, `true`} {
		a, s := newScripted(t)
		s.answers["settings"] = says(t, frame("settings", kept))
		_, err := a.SaveSettings(t.Context(), 4, map[string]any{"theme": "light"})
		require.Equal(t, model.Conflict, code(err), kept)
		require.Equal(t, []string{"settings"}, s.methods(), "they are not written over")
	}
}

func TestSettingsAreRefusedBeforeTheCall(t *testing.T) {
	deep := any(1)
	for range 200 {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		settings map[string]any
		want     model.Code
	}{
		"nested so deep that the whole site would be kicked out":   {map[string]any{"x": deep}, model.InvalidParameter},
		"a name with NUL, upon which the site would be kicked out": {map[string]any{"x": map[string]any{"\x00y": 1}}, model.InvalidParameter},
		"a number that comes back as another":                      {map[string]any{"x": 1e17}, model.InvalidParameter},
		"larger than our part":                                     {map[string]any{"x": strings.Repeat("中", maxSettings/6+1)}, model.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := newScripted(t)
			_, err := a.SaveSettings(t.Context(), 4, c.settings)
			require.Equal(t, c.want, code(err))
			require.Empty(t, s.methods())
		})
	}
}

func TestAnAnswerThatIsNotWhatWasSaved(t *testing.T) {
	a, s := newScripted(t)
	s.answers["settings"] = func(c legacy.Call) (legacy.Response, error) {
		if c.Params.([]any)[1] == any("") {
			return answer(t, c, frame("settings", `null`)), nil
		}
		return answer(t, c, frame("settings", `{"xuangate":{"theme":"????"}}`)), nil
	}
	_, err := a.SaveSettings(t.Context(), 4, map[string]any{"theme": "😀"})
	require.Equal(t, model.Conflict, code(err))
}
