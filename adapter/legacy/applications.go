package legacy

// ExtensionRow is an application of the site (recorded: 03_lists). Data is there where it may sign users in, and lists
// them all.
type ExtensionRow struct {
	EntryID     Int                `json:"entryID"`
	Name        Text               `json:"name"`
	DisplayName Text               `json:"displayName"`
	AbbrName    Text               `json:"abbrName"`
	WebViewURL  Text               `json:"webViewUrl"`
	Download    Text               `json:"download"`
	MD5         Text               `json:"md5"`
	Logo        Text               `json:"logo"`
	Data        List[ExtensionURL] `json:"data"`
}

// ExtensionURL is where an application is.
type ExtensionURL struct {
	ID  Int  `json:"id"`
	URL Text `json:"url"`
}

// TodoRow is a todo; the server answers all of it as text.
type TodoRow struct {
	ID     Int  `json:"id"`
	Date   Text `json:"date"`
	Begin  Text `json:"begin"`
	End    Text `json:"end"`
	Type   Text `json:"type"`
	Pri    Text `json:"pri"`
	Name   Text `json:"name"`
	Desc   Text `json:"desc"`
	Status Text `json:"status"`
}
