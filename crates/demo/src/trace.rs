//! What visitors and jobs make the shop do.

use signalbox_proto::otlp::trace::v1::span::SpanKind;

use crate::attributes::{boolean, int, text};
use crate::logs::Severity;
use crate::services::{self, ADD, HOME, ORDER, PRODUCT, Route};
use crate::story::{Answer, Event, Place, Story};
use crate::world::{Instance, SECOND, Service};

/// Products in the catalog.
const PRODUCTS: usize = 400;
/// The catalog is indexed again every so many seconds.
const REINDEX_EVERY: u64 = 600;
/// So many products have changed by then.
const REINDEX_PRODUCTS: usize = 240;
const BROWSERS: &[&str] =
    &["Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0", "Mozilla/5.0 (Macintosh) Safari/605.1.15", "Mozilla/5.0 (Windows NT 10.0) Chrome/142.0"];

/// A visitor's request in a second, the `number`th of it: everything that follows from it.
pub(crate) fn visit(seed: u64, second: u64, number: u64) -> Vec<Event> {
    let second_ns = second * SECOND;
    let mut story = Story::begin(seed, &[3, second, number], second_ns);
    let at_ns = second_ns + story.dice.below(SECOND as usize) as u64;
    let product = 1 + (story.dice.unit() * story.dice.unit() * PRODUCTS as f64) as usize;
    let session = hex::encode(story.dice.id::<4>());
    match story.dice.below(100) {
        0..35 => request(&mut story, &HOME, "/", at_ns, services::list_products),
        35..65 => {
            request(&mut story, &PRODUCT, &format!("/product/{product}"), at_ns, |story, place, at_ns| services::read_product(story, place, product, at_ns))
        }
        65..82 => request(&mut story, &ADD, "/cart", at_ns, |story, place, at_ns| {
            let found = services::read_product(story, place, product, at_ns);
            if found.status == 200 { services::add_item(story, place, &session, product, found.end_ns) } else { found }
        }),
        _ => request(&mut story, &ORDER, "/checkout", at_ns, |story, place, at_ns| services::place_order(story, place, &session, at_ns)),
    }
    story.events
}

fn request(story: &mut Story, route: &Route, path: &str, at_ns: u64, work: impl FnOnce(&mut Story, Place, u64) -> Answer) {
    story.serve(None, route, path, at_ns, |story, open, at_ns| {
        open.span.attributes.extend([
            text("user_agent.original", *story.dice.pick(BROWSERS)),
            text("user.id", format!("u{}", story.dice.below(900))),
            boolean("user.is_returning", story.dice.chance(0.6)),
        ]);
        let place = open.place;
        let Answer { end_ns, status } = work(story, place, at_ns);
        if status >= 500 {
            story.log(place, end_ns, Severity::Error, format!("upstream answered {status}, telling the visitor to try again"), vec![text("url.path", path)]);
            return Answer { end_ns, status: 502 };
        }
        let render = story.open(place.instance, Some(place), "render", SpanKind::Internal, end_ns);
        let end_ns = end_ns + story.dice.latency(2_500.0);
        story.close(render, end_ns);
        Answer { end_ns, status: if status == 201 { 200 } else { status } }
    });
}

/// Jobs that begin in a second.
pub(crate) fn jobs(seed: u64, second: u64) -> Vec<Event> {
    if second % REINDEX_EVERY != 30 {
        return Vec::new();
    }
    let start_ns = second * SECOND;
    let mut story = Story::begin(seed, &[4, second], start_ns);
    let worker = Instance { service: Service::Catalog, number: 0 };
    let mut job = story.open(worker, None, "reindex", SpanKind::Internal, start_ns);
    job.set(int("batch.size", REINDEX_PRODUCTS as i64));
    story.log(job.place, start_ns, Severity::Info, format!("reindex started for {REINDEX_PRODUCTS} products"), Vec::new());
    let mut at_ns = start_ns + story.dice.latency(3_000.0);
    let mut skipped = 0;
    for product in 1..=REINDEX_PRODUCTS {
        let end_ns = at_ns + story.dice.latency(6_000.0);
        let mut open = story.open(worker, Some(job.place), "index product", SpanKind::Internal, at_ns);
        open.set(int("product.id", product as i64));
        if product % 97 == 13 {
            open.throw(end_ns, "InvalidPrice", "price is negative", "  at index (index.go:203)");
            story.log(open.place, end_ns, Severity::Warn, format!("skipped product {product}: price is negative"), vec![int("product.id", product as i64)]);
            skipped += 1;
        }
        story.close(open, end_ns);
        at_ns = end_ns;
    }
    story.log(job.place, at_ns, Severity::Info, format!("reindex finished, {skipped} products skipped"), vec![int("products.skipped", skipped)]);
    story.close(job, at_ns);
    story.events
}
