package reports

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
)

// renderSeries writes series.csv: the columns of DayRow, one row for each day
// and region, and last the row's JSON pointer in result.json, so that a figure
// is at pointer + "/" + column. A missing figure is an empty field.
func renderSeries(r *Result) []byte {
	var b bytes.Buffer
	t := reflect.TypeFor[DayRow]()
	for i := range t.NumField() {
		b.WriteString(t.Field(i).Tag.Get("json"))
		b.WriteByte(',')
	}
	b.WriteString("pointer\r\n") // RFC 4180
	for k := range r.Nation.Series {
		v := reflect.ValueOf(&r.Nation.Series[k]).Elem()
		for i := range v.NumField() {
			switch x := v.Field(i).Interface().(type) {
			case string:
				b.WriteString(x) // dates and ISO codes: nothing to quote
			case int64:
				b.Write(strconv.AppendInt(b.AvailableBuffer(), x, 10))
			case Num:
				if x.Known() {
					b.Write(x.append(b.AvailableBuffer()))
				}
			}
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "/nation/series/%d\r\n", k)
	}
	return b.Bytes()
}
