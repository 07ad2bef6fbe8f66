use proptest::prelude::*;

use super::*;

fn millis(iso: &str) -> i64 {
    parse_iso(iso).unwrap_or_else(|| panic!("{iso}"))
}

#[test]
fn formats_read_what_elasticsearch_reads() {
    let cases = [
        ("yyyy-MM-dd HH:mm:ss", "2024-05-01 10:20:30", Some("2024-05-01T10:20:30Z")),
        ("yyyy-MM-dd HH:mm:ss", "2024-05-01 1:20:30", None),
        ("dd/MM/yyyy||epoch_millis", "01/05/2024", Some("2024-05-01")),
        ("dd/MM/yyyy||epoch_millis", "0", Some("1970-01-01")),
        ("yyyyMMdd", "20240501", Some("2024-05-01")),
        ("yyyyMMddHHmmssSSS", "20240501102030004", Some("2024-05-01T10:20:30.004Z")),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2024-05-01T10:20:30.004+0200", Some("2024-05-01T08:20:30.004Z")),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2024-05-01T10:20:30+02:00", Some("2024-05-01T08:20:30Z")),
        ("yyyy-MM-dd[ HH:mm]", "2024-05-01", Some("2024-05-01")),
        ("yyyy-MM-dd[ HH:mm]", "2024-05-01 10:00", Some("2024-05-01T10:00Z")),
        ("dd MMM yyyy", "01 May 2024", Some("2024-05-01")),
        ("EEE MMM dd HH:mm:ss Z yyyy", "Thu Jun 18 20:36:11 +0000 2009", Some("2009-06-18T20:36:11Z")),
        ("MM/dd/yy hh:mm a", "05/01/24 12:30 AM", Some("2024-05-01T00:30Z")),
        ("d.M.yyyy", "1.5.2024", Some("2024-05-01")),
        ("yyyy-MM-dd HH:mm:ss z", "2024-05-01 10:00:00 Europe/Paris", Some("2024-05-01T08:00Z")),
        ("epoch_second", "1714558830.5", Some("2024-05-01T10:20:30.500Z")),
        ("epoch_millis", "-1", Some("1969-12-31T23:59:59.999Z")),
        ("epoch_millis", "1e3", None),
        ("strict_date", "2024-05-01", Some("2024-05-01")),
        ("strict_date", "2024-5-1", None),
        ("date", "2024-5-1", Some("2024-05-01")),
        ("basic_date", "20240501", Some("2024-05-01")),
        ("basic_date_time", "20240501T102030.004Z", Some("2024-05-01T10:20:30.004Z")),
        ("week_date", "2024-W18-3", Some("2024-05-01")),
        ("ordinal_date", "2024-122", Some("2024-05-01")),
        ("year_month", "2024-05", Some("2024-05-01")),
        ("strict_date_time", "2024-05-01T10:20:30.123456Z", Some("2024-05-01T10:20:30.123Z")),
        ("strict_date_time", "2024-05-01T10:20:30.1Z", None),
        ("yyyy-MM-dd", "12024-05-01", None),
        ("yyyy-MM-dd", "+12024-05-01", Some("+12024-05-01")),
        ("date_time", "2024-05-01T10:20:30.123456Z", Some("2024-05-01T10:20:30.123Z")),
        ("date_optional_time", "2024-5-1T1:2", Some("2024-05-01T01:02Z")),
        ("hour_minute_second", "10:20:30", Some("1970-01-01T10:20:30Z")),
    ];
    for (format, text, expected) in cases {
        let found = DateFormats::read(format).unwrap().parse(text, None, Missing::Least);
        assert_eq!(found, expected.map(millis), "{format} {text}");
    }
}

#[test]
fn formats_print_as_elasticsearch_prints() {
    let at = millis("2024-05-01T10:20:30.004Z");
    let paris = zone("Europe/Paris").unwrap();
    let cases = [
        (DEFAULT_FORMAT, None, "2024-05-01T10:20:30.004Z"),
        (DEFAULT_FORMAT, Some(&paris), "2024-05-01T12:20:30.004+02:00"),
        ("yyyy-MM-dd HH:mm:ss", None, "2024-05-01 10:20:30"),
        ("epoch_millis", Some(&paris), "1714558830004"),
        ("epoch_second", None, "1714558830.004"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", Some(&paris), "2024-05-01T12:20:30.004+0200"),
        ("EEEE, d MMMM yyyy h:mm a", None, "Wednesday, 1 May 2024 10:20 AM"),
        ("basic_date_time", None, "20240501T102030.004Z"),
        ("week_date", None, "2024-W18-3"),
        ("ordinal_date", None, "2024-122"),
        ("strict_year", None, "2024"),
        ("yy", None, "24"),
        ("QQ", None, "02"),
    ];
    for (format, zone, expected) in cases {
        assert_eq!(DateFormats::read(format).unwrap().format(at, zone), expected, "{format}");
    }
    assert_eq!(DateFormats::default().format(millis("2024-01-01") - 1, None), "2023-12-31T23:59:59.999Z");
}

#[test]
fn wrong_formats_are_refused() {
    for format in ["", "yyyy-MM-dd||", "bogus", "yyyy-'open", "yyyy]", "{yyyy}", "SSSSSSSSSS"] {
        assert!(DateFormats::read(format).is_err(), "{format}");
    }
}

#[test]
fn math_is_elasticsearchs() {
    let formats = DateFormats::default();
    let berlin = zone("Europe/Berlin").unwrap();
    let now = millis("2014-11-18T14:27:32Z");
    let (least, greatest) = (Missing::Least, Missing::Greatest);
    let cases = [
        ("now", None, least, "2014-11-18T14:27:32Z"),
        ("now+1M", None, least, "2014-12-18T14:27:32Z"),
        ("now-1d/d", None, least, "2014-11-17"),
        ("now/d", None, greatest, "2014-11-18T23:59:59.999Z"),
        ("now/M", None, greatest, "2014-11-30T23:59:59.999Z"),
        ("now/w", None, least, "2014-11-17"),
        ("now/w", None, greatest, "2014-11-23T23:59:59.999Z"),
        ("now/y", None, least, "2014-01-01"),
        ("now/h", None, greatest, "2014-11-18T14:59:59.999Z"),
        ("2014-11-18||+1y", None, least, "2015-11-18"),
        ("2014-11-18||/M", None, greatest, "2014-11-30T23:59:59.999Z"),
        ("2014-11-18||/M+1h", None, least, "2014-11-01T01:00Z"),
        ("2014-01-31||+1M", None, least, "2014-02-28"),
        ("2014-11-18T14||-2h", None, least, "2014-11-18T12:00Z"),
        ("2014", None, greatest, "2014-01-01T23:59:59.999Z"),
        ("2014-11", None, greatest, "2014-11-01T23:59:59.999Z"),
        ("2014-11-18T09:20", None, greatest, "2014-11-18T09:20:59.999Z"),
        ("2014-11-18||-1M-1d+3h+6m", None, least, "2014-10-17T03:06Z"),
        ("2014-11-18", Some(&berlin), least, "2014-11-17T23:00Z"),
        ("2014-11-18T10:00Z", Some(&berlin), least, "2014-11-18T10:00Z"),
        ("now/d", Some(&berlin), least, "2014-11-17T23:00Z"),
        ("2014-03-29T12:00Z||+1d", Some(&berlin), least, "2014-03-30T11:00Z"),
        ("0", None, least, "1970-01-01"),
    ];
    for (text, zone, round, expected) in cases {
        let math = DateMath { formats: &formats, now_millis: now, zone };
        let found = math.parse(text, round).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(formats.format(found, None), formats.format(millis(expected), None), "{text}");
    }
    let math = DateMath { formats: &formats, now_millis: now, zone: None };
    for text in ["now+", "now*1d", "now/2d", "now+1x", "now1d", "nowhere", "2014-13-01", "now+99999999999999999999d"] {
        let error = math.parse(text, least).unwrap_err();
        assert_eq!(error.exception().map(|exception| exception.kind), Some("parse_exception"), "{text}");
    }
}

#[test]
fn zones_are_read() {
    for (text, seconds) in [("+01:00", 3600), ("-0530", -19_800), ("Z", 0), ("UTC", 0), ("+1", 3600), ("UTC+2", 7200)] {
        let zone = zone(text).unwrap();
        assert_eq!(zone.to_fixed_offset().unwrap().seconds(), seconds, "{text}");
    }
    assert!(zone("Europe/Berlin").is_ok());
    assert!(zone("Mars/Olympus").is_err());
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(at in -60_000_000_000_000_i64..60_000_000_000_000, zone_idx in 0_usize..4) {
        let zones = [None, Some("+05:30"), Some("America/New_York"), Some("-03:00")];
        let zone = zones[zone_idx].map(|name| zone(name).unwrap());
        for format in ["strict_date_optional_time", "strict_date_time", "basic_date_time", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
            "week_date_time", "ordinal_date_time", "epoch_millis", "yyyyMMdd HHmmssSSS Z", "EEE, dd MMM yyyy hh:mm:ss.SSS a xxx"]
        {
            let formats = DateFormats::read(format).unwrap();
            let printed = formats.format(at, zone.as_ref());
            // Offsets of a time long ago have seconds, which are not printed.
            if zone_idx == 2 && at < -2_000_000_000_000 {
                continue;
            }
            prop_assert_eq!(formats.parse(&printed, None, Missing::Least), Some(at), "{} {}", format, printed);
        }
    }

    #[test]
    fn civil_dates_are_a_bijection(days in -3_000_000_i64..3_000_000) {
        let (year, month, day) = civil::civil_from_days(days);
        prop_assert_eq!(civil::days_from_civil(year, month, day), Some(days));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,30}", math in "(now|2024-01-01\\|\\|)[-+/0-9yMwdhHms]{0,12}", pattern in "[yMdHhmsSaEZXzG'\\[\\]:/ -]{1,12}") {
        let formats = DateFormats::default();
        let _ = formats.parse(&text, None, Missing::Greatest);
        let context = DateMath { formats: &formats, now_millis: 0, zone: None };
        let _ = context.parse(&math, Missing::Greatest);
        let _ = zone(&text);
        if let Ok(formats) = DateFormats::read(&pattern) {
            let _ = formats.parse(&text, None, Missing::Least);
            let _ = formats.format(0, None);
        }
    }

    #[test]
    fn rounding_is_the_unit_that_holds_the_instant(at in -4_000_000_000_000_i64..4_000_000_000_000, unit in "[yMwdhms]") {
        let formats = DateFormats::default();
        let math = DateMath { formats: &formats, now_millis: at, zone: None };
        let (low, high) = (math.parse(&format!("now/{unit}"), Missing::Least).unwrap(), math.parse(&format!("now/{unit}"), Missing::Greatest).unwrap());
        prop_assert!(low <= at && at <= high);
        prop_assert_eq!(math.parse(&format!("now/{unit}/{unit}"), Missing::Least).unwrap(), low);
    }
}

#[test]
fn every_name_prints_and_reads() {
    let at = millis("2024-05-01T10:20:30.004Z");
    for name in builtin::names() {
        for name in [name.to_string(), format!("strict_{name}")] {
            let formats = DateFormats::read(&name).unwrap();
            let printed = formats.format(at, None);
            let again = formats.parse(&printed, None, Missing::Least).unwrap_or_else(|| panic!("{name}: {printed}"));
            assert_eq!(formats.format(again, None), printed, "{name}");
        }
    }
}
