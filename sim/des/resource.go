package des

// Resource is a number of equal places, handed out first come, first served.
type Resource struct {
	places int
	queue  queue
	Queue  Level // how many wait
	Used   Level // how many places are taken
}

// NewResource makes a resource.
func (e *Env) NewResource(places int) *Resource {
	return &Resource{places: places, Queue: Level{env: e}, Used: Level{env: e}}
}

// Request waits for a place. A process that is interrupted has none.
func (r *Resource) Request(p *Proc) error {
	_, err := r.RequestWithin(p, Forever)
	return err
}

// RequestWithin waits for a place, at most for the patience; it says whether
// the process has one.
func (r *Resource) RequestWithin(p *Proc, patience Time) (bool, error) {
	if r.Used.Now() < r.places {
		r.Used.Add(1)
		return true, nil
	}
	r.Queue.Add(1)
	got, err := r.queue.join(p, patience)
	r.Queue.Add(-1)
	return got, err
}

// Release gives a place back; the first in the queue has it at once.
func (r *Resource) Release() {
	if r.queue.serve() == nil {
		r.Used.Add(-1)
	}
}

// Store holds things that processes put in and take out, first in, first out.
type Store[T any] struct {
	room    int
	things  []T
	putters queue
	getters queue
	offered map[*Proc]T // by those who wait for room
	handed  map[*Proc]T // to those who waited for a thing
}

// NewStore makes a store with room for a number of things, at least one.
func NewStore[T any](room int) *Store[T] {
	return &Store[T]{room: max(room, 1), offered: map[*Proc]T{}, handed: map[*Proc]T{}}
}

// Len is the number of things in the store.
func (s *Store[T]) Len() int { return len(s.things) }

// Put waits for room and puts a thing in.
func (s *Store[T]) Put(p *Proc, x T) error {
	if to := s.getters.serve(); to != nil {
		s.handed[to] = x
		return nil
	}
	if len(s.things) < s.room {
		s.things = append(s.things, x)
		return nil
	}
	s.offered[p] = x
	got, err := s.putters.join(p, Forever)
	if !got {
		delete(s.offered, p)
	}
	return err
}

// Get waits for a thing and takes it out.
func (s *Store[T]) Get(p *Proc) (x T, err error) {
	if len(s.things) == 0 {
		got, err := s.getters.join(p, Forever)
		if got {
			x = s.handed[p]
			delete(s.handed, p)
		}
		return x, err
	}
	x = s.things[0]
	s.things = s.things[1:]
	if from := s.putters.serve(); from != nil {
		s.things = append(s.things, s.offered[from])
		delete(s.offered, from)
	}
	return x, nil
}
