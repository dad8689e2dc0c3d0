package xuanxuan

// schema is the part of the real database that the methods touch. Date columns hold MySQL's text form. Columns that
// MySQL compares without case are NOCASE; blanks at their end are trimmed before they are stored or looked up. As in
// the real one, gid is no unique key in im_chat and im_message.
const schema = `
CREATE TABLE IF NOT EXISTS im_chat (
	id             INTEGER PRIMARY KEY AUTOINCREMENT,
	gid            TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	name           TEXT NOT NULL DEFAULT '',
	type           TEXT NOT NULL DEFAULT 'group' COLLATE NOCASE,
	admins         TEXT NOT NULL DEFAULT '',
	committers     TEXT NOT NULL DEFAULT '',
	subject        INTEGER NOT NULL DEFAULT 0,
	public         INTEGER NOT NULL DEFAULT 0,
	createdBy      TEXT NOT NULL DEFAULT '',
	createdDate    TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	editedBy       TEXT NOT NULL DEFAULT '',
	editedDate     TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	lastActiveTime TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	dismissDate    TEXT NOT NULL DEFAULT '0000-00-00 00:00:00'
);
CREATE INDEX IF NOT EXISTS im_chat_gid ON im_chat (gid);
CREATE INDEX IF NOT EXISTS im_chat_system ON im_chat (type) WHERE type = 'system';
CREATE INDEX IF NOT EXISTS im_chat_public ON im_chat (public) WHERE public = 1;

CREATE TABLE IF NOT EXISTS im_message (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	gid         TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	cgid        TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	user        TEXT NOT NULL DEFAULT '',
	date        TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	"order"     INTEGER NOT NULL DEFAULT 0,
	type        TEXT NOT NULL DEFAULT 'normal',
	content     TEXT NOT NULL DEFAULT '',
	contentType TEXT NOT NULL DEFAULT 'text',
	data        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS im_message_gid ON im_message (gid);
CREATE INDEX IF NOT EXISTS im_message_chat ON im_message (cgid, id, date);
CREATE INDEX IF NOT EXISTS im_message_notice ON im_message (gid) WHERE type = 'notify';

CREATE TABLE IF NOT EXISTS im_chatuser (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	cgid     TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	user     INTEGER NOT NULL DEFAULT 0,
	"order"  INTEGER NOT NULL DEFAULT 0,
	star     TEXT NOT NULL DEFAULT '0',
	hide     TEXT NOT NULL DEFAULT '0',
	mute     TEXT NOT NULL DEFAULT '0',
	"join"   TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	quit     TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	category TEXT NOT NULL DEFAULT '',
	UNIQUE (cgid, user)
);
CREATE INDEX IF NOT EXISTS im_chatuser_user ON im_chatuser (user);

CREATE TABLE IF NOT EXISTS im_messagestatus (
	user   INTEGER NOT NULL DEFAULT 0,
	gid    TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	status TEXT NOT NULL DEFAULT 'waiting',
	PRIMARY KEY (user, gid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS im_messagestatus_waiting ON im_messagestatus (user, gid) WHERE status = 'waiting';

-- The queue of 1.0: what is to be pushed to a user.
CREATE TABLE IF NOT EXISTS im_usermessage (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	level  INTEGER NOT NULL DEFAULT 3,
	user   INTEGER NOT NULL DEFAULT 0,
	module TEXT NOT NULL DEFAULT '',
	method TEXT NOT NULL DEFAULT '',
	data   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS im_usermessage_user ON im_usermessage (user);

CREATE TABLE IF NOT EXISTS sys_user (
	id           INTEGER PRIMARY KEY,
	account      TEXT NOT NULL UNIQUE COLLATE NOCASE,
	password     TEXT NOT NULL DEFAULT '',
	realname     TEXT NOT NULL DEFAULT '',
	avatar       TEXT NOT NULL DEFAULT '',
	role         TEXT NOT NULL DEFAULT '',
	dept         INTEGER NOT NULL DEFAULT 0,
	clientStatus TEXT NOT NULL DEFAULT 'offline',
	admin        TEXT NOT NULL DEFAULT 'no',
	gender       TEXT NOT NULL DEFAULT 'u',
	email        TEXT NOT NULL DEFAULT '',
	mobile       TEXT NOT NULL DEFAULT '',
	phone        TEXT NOT NULL DEFAULT '',
	site         TEXT NOT NULL DEFAULT '',
	qq           TEXT NOT NULL DEFAULT '',
	deleted      INTEGER NOT NULL DEFAULT 0,
	fails        INTEGER NOT NULL DEFAULT 0,
	locked       TEXT NOT NULL DEFAULT '0000-00-00 00:00:00',
	birthday     TEXT NOT NULL DEFAULT '',
	skype        TEXT NOT NULL DEFAULT '',
	yahoo        TEXT NOT NULL DEFAULT '',
	gtalk        TEXT NOT NULL DEFAULT '',
	wangwang     TEXT NOT NULL DEFAULT '',
	address      TEXT NOT NULL DEFAULT '',
	zipcode      TEXT NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS sys_dept (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL DEFAULT '',
	"order" INTEGER NOT NULL DEFAULT 0,
	parent  INTEGER NOT NULL DEFAULT 0
);

-- The days on which somebody signed in, and when first.
CREATE TABLE IF NOT EXISTS sys_attend (
	account TEXT NOT NULL COLLATE NOCASE,
	date    TEXT NOT NULL,
	signIn  TEXT NOT NULL,
	PRIMARY KEY (account, date)
) WITHOUT ROWID;

-- What administrators did to users.
CREATE TABLE IF NOT EXISTS sys_action (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	objectType TEXT NOT NULL,
	objectID   INTEGER NOT NULL,
	action     TEXT NOT NULL,
	date       TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sys_action_date ON sys_action (date);

-- Client settings by account.
CREATE TABLE IF NOT EXISTS sys_config (
	"key" TEXT PRIMARY KEY COLLATE NOCASE,
	value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS sys_file (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	pathname    TEXT NOT NULL DEFAULT '',
	title       TEXT NOT NULL DEFAULT '',
	extension   TEXT NOT NULL DEFAULT '',
	size        INTEGER NOT NULL DEFAULT 0,
	objectType  TEXT NOT NULL DEFAULT '',
	objectID    INTEGER NOT NULL DEFAULT 0,
	createdBy   TEXT NOT NULL DEFAULT '',
	createdDate TEXT NOT NULL DEFAULT '0000-00-00 00:00:00'
);

CREATE TABLE IF NOT EXISTS sys_entry (
	id      INTEGER PRIMARY KEY,
	code    TEXT NOT NULL DEFAULT '',
	name    TEXT NOT NULL DEFAULT '',
	abbr    TEXT NOT NULL DEFAULT '',
	login   TEXT NOT NULL DEFAULT '',
	package INTEGER NOT NULL DEFAULT 0,
	logo    TEXT NOT NULL DEFAULT '',
	sso     INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS sys_todo (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	account TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	date    TEXT NOT NULL DEFAULT '',
	begin   TEXT NOT NULL DEFAULT '',
	"end"   TEXT NOT NULL DEFAULT '',
	type    TEXT NOT NULL DEFAULT 'custom',
	pri     TEXT NOT NULL DEFAULT '0',
	name    TEXT NOT NULL DEFAULT '',
	"desc"  TEXT NOT NULL DEFAULT '',
	status  TEXT NOT NULL DEFAULT 'wait'
);
`
