package profile

import (
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
)

// Device is what is known of one thing the person has: what the company's records
// state, and what the person's own events named.
type Device struct {
	AssetID   string
	ProductID string
	Record    *Record        // the asset record, nil when only events know the device
	Reports   []*event.Event // Repair Reported of it, oldest first
	Repairs   []*event.Event // Repair Completed of it, oldest first
	Evidence  []evidence.Ref // of ProductID: the record, else the newest event that named the product
}

// Device gathers what is known of one asset; ok is false when nothing is.
func (p *Profile) Device(asset string) (d Device, ok bool) {
	if asset == "" {
		return d, false
	}
	d = Device{AssetID: asset, Record: p.Record(evidence.Asset, asset)}
	var newest *event.Event
	for name, to := range map[string]*[]*event.Event{"Repair Reported": &d.Reports, "Repair Completed": &d.Repairs} {
		for _, e := range p.History[name] {
			f := fields(e.Properties())
			if f.id("asset_id") != asset {
				continue
			}
			*to = append(*to, e)
			if product := f.id("product_id"); product != "" && (newest == nil || Compare(newest, e) < 0) {
				newest, d.ProductID, d.Evidence = e, product, []evidence.Ref{evidence.Ref(e.ID.String())}
			}
		}
	}
	if d.Record != nil {
		if product := fields(d.Record.Fields).id("product_id"); product != "" {
			d.ProductID, d.Evidence = product, []evidence.Ref{d.Record.Ref()}
		}
	}
	return d, d.Record != nil || len(d.Reports) > 0 || len(d.Repairs) > 0
}
