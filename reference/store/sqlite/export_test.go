package sqlite

import (
	"context"
	"database/sql"
)

// Made makes a register as a program made it that knew so many migrations.
func Made(path string, version int) error {
	all := migrations
	migrations = all[:version]
	defer func() { migrations = all }()
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer pool.Close()
	c, err := pool.Conn(context.Background())
	if err != nil {
		return err
	}
	defer c.Close()
	return migrate(newConn(c))
}
