package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gopymesh/pymesh/lora"
)

// Airtime is a lora.AirtimeStore: a file in JSON beside that of the settings.
type Airtime struct{ file File }

var _ lora.AirtimeStore = Airtime{}

// AirtimeBeside returns the store of the airtime for a node with its settings in a file.
func AirtimeBeside(settings string) Airtime { return Airtime{File{Path: settings + ".airtime"}} }

type airtimeContent struct {
	Version int
	Sent    []lora.SentAirtime
}

// LoadAirtime returns what was saved last, and nothing if there is no file.
func (a Airtime) LoadAirtime() ([]lora.SentAirtime, error) {
	b, err := os.ReadFile(a.file.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c airtimeContent
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", a.file.Path, err)
	}
	if c.Version != version {
		return nil, fmt.Errorf("%s: version %d, want %d", a.file.Path, c.Version, version)
	}
	return c.Sent, nil
}

// SaveAirtime replaces the file.
func (a Airtime) SaveAirtime(sent []lora.SentAirtime) error {
	return a.file.replace(airtimeContent{version, sent})
}
