//! Decimals come back bit for bit, in few bits.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn found(values: &[f64], before: Option<Divisor>) -> Option<Decimals> {
    let mut decimals = Decimals::default();
    if !decimals.find(values, before) {
        return None;
    }
    assert_eq!(decimals.mantissas.len(), values.len());
    for (at, (mantissa, expected)) in decimals.mantissas.iter().zip(values).enumerate() {
        let Some(mantissa) = mantissa else {
            assert!(is_special(*expected));
            continue;
        };
        let mut read = Vec::new();
        extend(&mut read, &[*mantissa - 77], 77, decimals.divisor.value()).unwrap();
        let rest = decimals.rests.get(at).copied();
        let value = rest.map_or(read[0], |rest| read[0] + rest);
        assert_eq!(value.to_bits(), expected.to_bits(), "{values:?}");
    }
    Some(decimals)
}

#[test]
fn decimals_come_back_bit_for_bit_and_the_rest_is_refused() {
    let cases: &[(&[f64], Option<f64>)] = &[
        (&[1.0, 2.0, -3.0, 9_007_199_254_740_992.0], Some(1.0)),
        (&[0.1, 12.25, -7.0], Some(100.0)),
        (&[0.1 + 0.2], None),
        (&[0.005, f64::NAN, f64::INFINITY, -0.0], Some(1000.0)),
        (&[1e300], None),
        (&[f64::MIN_POSITIVE], None),
        (&[std::f64::consts::PI * 1e5], Some(1e10)),
        (&[f64::NAN], None),
        (&[-0.0], None),
        (&[0.0, 0.0], Some(1.0)),
    ];
    for (values, want) in cases {
        let decimals = found(values, None);
        assert_eq!(decimals.map(|decimals| decimals.divisor.value()), *want, "{values:?}");
    }
}

#[test]
fn multiples_of_pages_and_of_quarters_have_short_mantissas() {
    let pages: Vec<f64> = (0..100).map(|at| 4096.0 * f64::from(at * 7919 % 1000)).collect();
    let decimals = found(&pages, None).unwrap();
    assert_eq!(decimals.divisor.value(), 1.0 / 4096.0);
    let quarters: Vec<f64> = (0..100).map(|at| f64::from(at * 7919 % 1000) * 0.25).collect();
    assert_eq!(found(&quarters, None).unwrap().divisor.value(), 4.0);
    let halves = [0.5, 1.0, 7.5];
    assert_eq!(found(&halves, None).unwrap().divisor.value(), 10.0, "few values are not worth another divisor");
}

#[test]
fn a_divisor_holds_as_long_as_it_serves() {
    let pages = found(&[4096.0; 100], None).unwrap().divisor;
    assert_eq!(pages.value(), 1.0, "what never changes takes no room");
    let fraction: Vec<f64> = (0..100).map(|at| f64::from(at * 7919 % 1000) * 0.01).collect();
    let hundredths = found(&fraction, Some(pages)).unwrap().divisor;
    assert_eq!(hundredths.value(), 100.0);
    assert_eq!(found(&[3.0, 4.0], Some(hundredths)).unwrap().divisor, hundredths);
    let large: Vec<f64> = (0..100).map(|at| f64::from(at * 7919 % 1000) * 1e12).collect();
    assert_ne!(found(&large, Some(hundredths)).unwrap().divisor, hundredths, "mantissas must stay exact as doubles");
}

#[test]
fn sums_of_decimals_are_decimals_with_a_rest() {
    let (mut sum, mut sums) = (0.0, Vec::new());
    for at in 0..480u32 {
        sum += f64::from(at * 7919 % 1000) * 0.0035 + 0.1;
        sums.push(sum);
    }
    sums[100] = f64::NAN;
    let decimals = found(&sums, None).unwrap();
    assert!(!decimals.rests.is_empty() && decimals.divisor.value() <= 1e5, "{:?}", decimals.divisor);
    let mut state = 1u64;
    let noise: Vec<f64> = (0..480)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from_bits(0x3ff0_0000_0000_0000 | state >> 12)
        })
        .collect();
    assert!(found(&noise, None).is_none(), "noise stays double");
}

#[test]
fn random_values_of_every_size_come_back() {
    let mut state = 88_172_645_463_325_252u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut before = None;
    for round in 0..3000 {
        let (scale, step) = (10f64.powi((next() % 24) as i32 - 12), f64::from((next() % 5000) as u32));
        let mut sum = (next() % 1000) as f64 * scale;
        let values: Vec<f64> = (0..next() % 60)
            .map(|_| {
                sum += (next() % 100) as f64 * scale * step;
                if next() % 50 == 0 { f64::from_bits(next()) } else { sum }
            })
            .collect();
        before = found(&values, before.filter(|_| round % 3 > 0)).map(|decimals| decimals.divisor);
    }
}

#[test]
fn a_divisor_that_is_never_written_is_refused() {
    for divisor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(extend(&mut Vec::new(), &[1], 0, divisor), None);
    }
}
