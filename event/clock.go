package event

import "time"

// parseTime reads an RFC 3339 time with its zone into milliseconds of Unix time;
// a finer fraction is cut off. ISO 8601's zone without a colon ("+0800") is read
// too, for some of Segment's clients write it so. A time without a zone is refused:
// nobody can say which moment it names.
func parseTime(b []byte) (ms int64, ok bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || len(b) > 48 {
		return 0, false
	}
	if b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || year < 1 || month < 1 || month > 12 || day < 1 || day > monthDays(year, month) || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	if second == 60 { // a leap second has no millisecond of its own
		second = 59
	}
	b = b[19:]
	milli := 0
	if b[0] == '.' || b[0] == ',' {
		n := 1
		for n < len(b) && b[n]-'0' < 10 {
			if n <= 3 {
				milli = milli*10 + int(b[n]-'0')
			}
			n++
		}
		if n == 1 {
			return 0, false
		}
		for i := n; i <= 3; i++ {
			milli *= 10
		}
		b = b[n:]
	}
	offset := 0
	switch {
	case len(b) == 1 && b[0]|0x20 == 'z':
	case (len(b) == 6 && b[3] == ':' || len(b) == 5) && (b[0] == '+' || b[0] == '-'):
		h, ok1 := digits(b[1:3])
		m, ok2 := digits(b[len(b)-2:])
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return 0, false
		}
		offset = (h*60 + m) * 60
		if b[0] == '-' {
			offset = -offset
		}
	default:
		return 0, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).UnixMilli() - int64(offset)*1000 + int64(milli), true
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func monthDays(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// The times an event may have: RFC 3339 can write nothing outside them.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli()
)

// stamps are the times a call carries, in milliseconds.
type stamps struct {
	timestamp, original, sent          int64
	hasTimestamp, hasOriginal, hasSent bool
}

// correct gives the moment at which a call was made by our own clock. A sender
// whose clock is wrong is wrong about both times, so their difference counts:
// received − (sent − original), as in the Segment specification. Without a time
// of sending the sender's time is taken as it is; without either it is now.
func (t stamps) correct(received int64) (ms int64, ok bool) {
	at := t.timestamp
	switch {
	case t.hasSent && t.hasOriginal:
		at = received - (t.sent - t.original)
	case t.hasSent && t.hasTimestamp:
		at = received - (t.sent - t.timestamp)
	case t.hasTimestamp:
	case t.hasOriginal:
		at = t.original
	default:
		at = received
	}
	return at, at >= earliest && at <= latest
}
