package sqlite

import "errors"

// Made makes a register as a program made it that knew so many migrations.
func Made(path string, version int) error {
	all := migrations
	migrations = all[:version]
	defer func() { migrations = all }()
	c, err := connect("file:" + path)
	if err != nil {
		return err
	}
	return errors.Join(migrate(c), c.close())
}

// Assign is what scanning stores.
var Assign = assign
