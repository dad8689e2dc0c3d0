package legacy

import (
	"encoding/json"
	"strconv"
)

// Directory is what the roles and departments of users mean. userGetlist answers it beside its data when everybody is
// asked for (seed 000; recorded: 03_lists); other answers have none.
type Directory struct {
	Roles Labels      `json:"roles"`
	Depts Departments `json:"depts"`
}

// Labels are the names of codes. The server writes [] for none.
type Labels map[string]Text

// UnmarshalJSON reads anything but an object as none.
func (l *Labels) UnmarshalJSON(b []byte) error {
	*l = nil
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	return json.Unmarshal(b, (*map[string]Text)(l))
}

// DepartmentRow is a department.
type DepartmentRow struct {
	ID     Int  `json:"id"`
	Name   Text `json:"name"`
	Parent Int  `json:"parent"`
	Order  Int  `json:"order"`
}

// Departments are a list in seed 000, and an object by id where they were recorded, which is [] when empty.
type Departments []DepartmentRow

// UnmarshalJSON reads either form. A department whose key is no number is left out.
func (d *Departments) UnmarshalJSON(b []byte) error {
	*d = nil
	if len(b) == 0 || b[0] != '{' {
		return (*List[DepartmentRow])(d).UnmarshalJSON(b)
	}
	var byID map[string]DepartmentRow
	if err := json.Unmarshal(b, &byID); err != nil {
		return err
	}
	for key, row := range byID {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			continue
		}
		row.ID = Int(id)
		*d = append(*d, row)
	}
	return nil
}
