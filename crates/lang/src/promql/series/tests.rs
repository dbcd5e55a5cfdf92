//! What is read, and what is refused.

use signalbox_testkit::mutate;

use super::*;

#[test]
fn reads_the_notation_of_series() {
    let floats = |text: &str| -> Vec<f64> {
        let item = |item| if let Item::Float(value) = item { value } else { f64::NEG_INFINITY };
        items(text).unwrap().into_iter().map(item).collect()
    };
    assert_eq!(floats("5 2+3x2 _ 0x1 -1-2x1 1e-2x0"), [5.0, 2.0, 5.0, 8.0, f64::NEG_INFINITY, 0.0, 0.0, -1.0, -3.0, 0.01]);
    assert_eq!(floats("_x2 Inf"), [f64::NEG_INFINITY, f64::NEG_INFINITY, f64::INFINITY]);
    assert_eq!(floats("stale stalex1").iter().map(|value| value.to_bits()).collect::<Vec<_>>(), [STALE_NAN_BITS; 3]);
    assert!(floats("NaN")[0].is_nan());
    assert_eq!(
        starts("_ -1m -30s-1mx1 *x1 0 +1ms").unwrap(),
        [None, Some(-60_000), Some(-30_000), Some(-90_000), Some(-90_000), Some(-90_000), Some(0), Some(1)]
    );
    let (labels, rest) = split_labels(r#"m{a="}\" x", b='`'} 1 2"#).unwrap();
    assert_eq!((labels.metric_name(), labels.get("a"), labels.get("b"), rest), ("m", Some("}\" x"), Some("`"), "1 2"));
    for wrong in [
        "x",
        "1x",
        "1+x2",
        "{{schema:1}",
        "{{colour:1}}",
        "stale2",
        "{{}}y",
        "{{}}é",
        "é",
        "1x99999999999",
        "_x99999999999",
        "{{}}x99999999999",
        "{{schema:1}}+{{schema:0}}x1",
    ] {
        assert!(items(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn labels_are_equalities() {
    assert_eq!(labels("").unwrap(), Labels::empty());
    assert_eq!(labels("{ }").unwrap(), Labels::empty());
    assert_eq!(labels("up{a=\"1\"}").unwrap().to_string(), "up{a=\"1\"}");
    assert!(labels("up{a!=\"1\"}").unwrap_err().contains("is no label"));
    assert!(labels("up{a=\"1\"").is_err());
}

#[test]
fn no_mutant_of_a_series_makes_it_panic() {
    let seeds = [
        "m{a=\"1\"} 5 2+3x2 _ _x3 stale 1e-2x0 NaN -Inf",
        "m {{schema:1 sum:3 count:22 z_bucket:1 z_bucket_w:0.1 buckets:[5 10 7] offset:-1}}+{{schema:1 n_buckets:[1]}}x2",
    ];
    mutate::texts(&seeds, &["{{", "}}", "x", "+", "-", "_", "stale", "[", "]", ":", "9", " ", "\u{e9}"], 2_000, |text| {
        if let Ok((_, rest)) = split_labels(text) {
            let _either = items(rest);
            let _either = starts(rest);
        }
    });
}
