//! What each service does when it is called.

use signalbox_proto::otlp::trace::v1::span::{Link, SpanKind};

use crate::attributes::{boolean, double, int, text};
use crate::logs::Severity;
use crate::metrics::Instrument;
use crate::story::{Answer, Open, Place, Story};
use crate::world::{Incident, Instance, SECOND, Service};

/// A route of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) service: Service,
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
}

const fn route(service: Service, method: &'static str, template: &'static str) -> Route {
    Route { service, method, template }
}

pub(crate) const HOME: Route = route(Service::Frontend, "GET", "/");
pub(crate) const PRODUCT: Route = route(Service::Frontend, "GET", "/product/{id}");
pub(crate) const ADD: Route = route(Service::Frontend, "POST", "/cart");
pub(crate) const ORDER: Route = route(Service::Frontend, "POST", "/checkout");
const PRODUCTS: Route = route(Service::Catalog, "GET", "/products");
const PRODUCT_BY_ID: Route = route(Service::Catalog, "GET", "/products/{id}");
const CART: Route = route(Service::Cart, "GET", "/cart/{session}");
const CART_ITEMS: Route = route(Service::Cart, "POST", "/cart/{session}/items");
const ORDERS: Route = route(Service::Checkout, "POST", "/orders");
const CHARGES: Route = route(Service::Payment, "POST", "/charges");
const SHIPMENTS: Route = route(Service::Shipping, "POST", "/shipments");

/// A statement sent to a database.
#[derive(Debug, Clone, Copy)]
struct Statement {
    system: &'static str,
    operation: &'static str,
    on: &'static str,
    text: &'static str,
    median_us: f64,
}

const SELECT_PRODUCTS: Statement = Statement {
    system: "postgresql",
    operation: "SELECT",
    on: "products",
    text: "SELECT id, name, price_cents FROM products WHERE visible ORDER BY rank LIMIT 24",
    median_us: 6_000.0,
};
const SELECT_PRODUCT: Statement =
    Statement { system: "postgresql", operation: "SELECT", on: "products", text: "SELECT * FROM products WHERE id = $1", median_us: 1_800.0 };
const INSERT_ORDER: Statement = Statement {
    system: "postgresql",
    operation: "INSERT",
    on: "orders",
    text: "INSERT INTO orders (session, amount_cents, currency) VALUES ($1, $2, $3) RETURNING id",
    median_us: 4_200.0,
};
const LOAD_CART: Statement = Statement { system: "redis", operation: "HGETALL", on: "cart", text: "HGETALL cart:?", median_us: 700.0 };
const STORE_CART: Statement = Statement { system: "redis", operation: "HSET", on: "cart", text: "HSET cart:? ? ?", median_us: 800.0 };

/// How much slower the database is when it is slow.
const SLOW_DATABASE_FACTOR: f64 = 40.0;
/// A statement that takes longer is given up.
const STATEMENT_TIMEOUT_NS: u64 = 2 * SECOND;
/// A call to the bank that takes longer is given up.
const BANK_TIMEOUT_NS: u64 = 1_500_000_000;
/// Attempts to charge a card.
const BANK_ATTEMPTS: u32 = 3;

/// Sends a statement; `false` when it was given up.
fn query(story: &mut Story, caller: Place, statement: &Statement, at_ns: u64) -> (u64, bool) {
    let is_slow = story.incident == Some(Incident::SlowDatabase) && statement.system == "postgresql";
    let median_us = statement.median_us * if is_slow { SLOW_DATABASE_FACTOR } else { 1.0 };
    let took_ns = story.dice.latency(median_us);
    let mut open = story.open(caller.instance, Some(caller), format!("{} {}", statement.operation, statement.on), SpanKind::Client, at_ns);
    open.span.attributes.extend([
        text("db.system.name", statement.system),
        text("db.namespace", "shop"),
        text("db.collection.name", statement.on),
        text("db.operation.name", statement.operation),
        text("db.query.text", statement.text),
        text("server.address", if statement.system == "redis" { "redis" } else { "postgres" }),
    ]);
    let is_late = took_ns > STATEMENT_TIMEOUT_NS;
    let end_ns = at_ns + took_ns.min(STATEMENT_TIMEOUT_NS);
    let mut labels = vec![text("db.system.name", statement.system), text("db.operation.name", statement.operation), text("db.collection.name", statement.on)];
    if is_slow {
        open.event("lock wait", at_ns + took_ns.min(STATEMENT_TIMEOUT_NS) / 8, vec![text("db.lock.mode", "ShareLock"), int("db.lock.holders", 3)]);
    }
    if is_late {
        open.throw(end_ns, "QueryCanceled", "canceling statement due to statement timeout", "  at query (pool.go:118)\n  at handle (products.go:57)");
        labels.push(text("error.type", "QueryCanceled"));
        let line = format!("cannot read {}: canceling statement due to statement timeout", statement.on);
        story.log(open.place, end_ns, Severity::Error, line, vec![text("db.query.text", statement.text)]);
    } else if took_ns > SECOND / 2 {
        let line = format!("slow query took {} ms: {}", took_ns / 1_000_000, statement.text);
        story.log(open.place, end_ns, Severity::Warn, line, vec![text("db.collection.name", statement.on)]);
    }
    let place = open.place;
    story.measure(place, end_ns, Instrument::DbDuration, (end_ns - at_ns) as f64 / 1e9, labels);
    story.close(open, end_ns);
    (end_ns, !is_late)
}

/// The catalog lists products.
pub(crate) fn list_products(story: &mut Story, caller: Place, at_ns: u64) -> Answer {
    story.call(caller, &PRODUCTS, "/products", at_ns, |story, open, at_ns| {
        let is_cached = story.dice.chance(0.35);
        open.event(if is_cached { "cache hit" } else { "cache miss" }, at_ns, vec![text("cache.key", "products:front")]);
        if is_cached {
            return Answer { end_ns: at_ns + story.dice.latency(400.0), status: 200 };
        }
        let (end_ns, is_done) = query(story, open.place, &SELECT_PRODUCTS, at_ns);
        let listed = 12 + story.dice.below(12);
        if is_done {
            story.log(open.place, end_ns, Severity::Debug, format!("listed {listed} products from the database"), vec![int("products.count", listed as i64)]);
        }
        Answer { end_ns, status: if is_done { 200 } else { 503 } }
    })
}

/// The catalog shows one product; some addresses lead nowhere.
pub(crate) fn read_product(story: &mut Story, caller: Place, product: usize, at_ns: u64) -> Answer {
    story.call(caller, &PRODUCT_BY_ID, &format!("/products/{product}"), at_ns, |story, open, at_ns| {
        open.set(int("product.id", product as i64));
        let (end_ns, is_done) = query(story, open.place, &SELECT_PRODUCT, at_ns);
        if is_done && product % 37 == 5 {
            story.log(open.place, end_ns, Severity::Warn, format!("product {product} does not exist"), vec![int("product.id", product as i64)]);
            return Answer { end_ns, status: 404 };
        }
        Answer { end_ns, status: if is_done { 200 } else { 503 } }
    })
}

/// The cart takes an item.
pub(crate) fn add_item(story: &mut Story, caller: Place, session: &str, product: usize, at_ns: u64) -> Answer {
    story.call(caller, &CART_ITEMS, &format!("/cart/{session}/items"), at_ns, |story, open, at_ns| {
        open.set(text("session.id", session));
        let quantity = 1 + story.dice.below(3);
        let (end_ns, _) = query(story, open.place, &STORE_CART, at_ns);
        let line = format!("added {quantity} x product {product} to cart {session}");
        story.log(open.place, end_ns, Severity::Info, line, vec![text("session.id", session), int("product.id", product as i64)]);
        story.measure(open.place, end_ns, Instrument::CartItems, quantity as f64, Vec::new());
        Answer { end_ns, status: 201 }
    })
}

fn load_cart(story: &mut Story, caller: Place, session: &str, at_ns: u64) -> Answer {
    story.call(caller, &CART, &format!("/cart/{session}"), at_ns, |story, open, at_ns| {
        let (end_ns, _) = query(story, open.place, &LOAD_CART, at_ns);
        let items = 1 + story.dice.below(5);
        open.span.attributes.extend([text("session.id", session), int("cart.items", items as i64)]);
        story.log(open.place, end_ns, Severity::Debug, format!("loaded cart {session} with {items} items"), vec![text("session.id", session)]);
        story.measure(open.place, end_ns, Instrument::CartItems, -(items as f64) / 2.0, Vec::new());
        Answer { end_ns, status: 200 }
    })
}

/// One attempt to charge a card at the bank; `false` when it did not answer.
fn ask_bank(story: &mut Story, caller: Place, attempt: u32, at_ns: u64) -> (u64, bool) {
    let is_lost = story.dice.chance(if story.incident == Some(Incident::PaymentOutage) { 0.85 } else { 0.004 });
    let end_ns = at_ns + if is_lost { BANK_TIMEOUT_NS } else { story.dice.latency(85_000.0).min(BANK_TIMEOUT_NS) };
    let mut open = story.open(caller.instance, Some(caller), "POST /v2/charges", SpanKind::Client, at_ns);
    open.span.attributes.extend([
        text("http.request.method", "POST"),
        text("url.full", "https://bank.example/v2/charges"),
        text("server.address", "bank.example"),
        int("server.port", 443),
    ]);
    if attempt > 1 {
        open.set(int("http.request.resend_count", i64::from(attempt - 1)));
    }
    if is_lost {
        let stack = "  at java.net.http/HttpClient.send(HttpClient.java:601)\n  at shop.payment.Bank.charge(Bank.java:88)\n  at shop.payment.Charges.post(Charges.java:41)";
        open.throw(end_ns, "java.net.http.HttpTimeoutException", "request to bank.example timed out", stack);
    } else {
        open.set(int("http.response.status_code", 200));
    }
    story.close(open, end_ns);
    (end_ns, !is_lost)
}

fn charge(story: &mut Story, caller: Place, cents: u64, at_ns: u64) -> Answer {
    story.call(caller, &CHARGES, "/charges", at_ns, |story, open, at_ns| {
        open.span.attributes.extend([double("payment.amount", cents as f64 / 100.0), text("payment.currency", "EUR")]);
        let checked_ns = at_ns + story.dice.latency(1_500.0);
        let mut check = story.open(open.place.instance, Some(open.place), "check card", SpanKind::Internal, at_ns);
        check.set(boolean("payment.card.is_known", story.dice.chance(0.7)));
        story.close(check, checked_ns);
        let mut at_ns = checked_ns;
        for attempt in 1..=BANK_ATTEMPTS {
            let (end_ns, is_answered) = ask_bank(story, open.place, attempt, at_ns);
            at_ns = end_ns;
            if is_answered {
                return charged(story, open, cents, attempt, checked_ns, at_ns);
            }
            let pause_ms = 100 << attempt;
            let line = format!("bank.example did not answer in 1500 ms, attempt {attempt} of {BANK_ATTEMPTS}");
            story.log(open.place, at_ns, Severity::Warn, line, vec![int("retry.attempt", i64::from(attempt)), text("server.address", "bank.example")]);
            if attempt < BANK_ATTEMPTS {
                open.event("retry", at_ns, vec![int("retry.attempt", i64::from(attempt)), int("retry.pause_ms", pause_ms)]);
                at_ns += pause_ms as u64 * 1_000_000;
            }
        }
        not_charged(story, open, cents, checked_ns, at_ns)
    })
}

fn charged(story: &mut Story, open: &mut Open, cents: u64, attempt: u32, from_ns: u64, at_ns: u64) -> Answer {
    let place = open.place;
    let is_declined = story.dice.chance(0.03);
    let outcome = if is_declined { "declined" } else { "accepted" };
    story.measure(place, at_ns, Instrument::ChargeDuration, (at_ns - from_ns) as f64 / 1e9, vec![text("payment.outcome", outcome)]);
    let amount = cents as f64 / 100.0;
    let attributes = vec![double("payment.amount", amount), int("retry.attempt", i64::from(attempt))];
    if is_declined {
        story.measure(place, at_ns, Instrument::PaymentFailures, 1.0, vec![text("reason", "declined")]);
        story.log(place, at_ns, Severity::Warn, format!("charge declined amount={amount:.2} currency=EUR reason=insufficient_funds"), attributes);
        return Answer { end_ns: at_ns, status: 402 };
    }
    story.log(place, at_ns, Severity::Info, format!("charge accepted amount={amount:.2} currency=EUR"), attributes);
    Answer { end_ns: at_ns, status: 201 }
}

fn not_charged(story: &mut Story, open: &mut Open, cents: u64, from_ns: u64, at_ns: u64) -> Answer {
    let place = open.place;
    let stack = "  at shop.payment.Charges.post(Charges.java:52)\n  at io.javalin.http.Handler.handle(Handler.java:19)";
    open.throw(at_ns, "shop.payment.BankUnavailable", "bank.example did not answer 3 times", stack);
    story.measure(place, at_ns, Instrument::ChargeDuration, (at_ns - from_ns) as f64 / 1e9, vec![text("payment.outcome", "timeout")]);
    story.measure(place, at_ns, Instrument::PaymentFailures, 1.0, vec![text("reason", "timeout")]);
    let line = format!("charge failed: shop.payment.BankUnavailable: bank.example did not answer 3 times\n{stack}");
    story.log(
        place,
        at_ns,
        Severity::Error,
        line,
        vec![double("payment.amount", cents as f64 / 100.0), text("exception.type", "shop.payment.BankUnavailable")],
    );
    Answer { end_ns: at_ns, status: 503 }
}

fn ship(story: &mut Story, caller: Place, order: &str, at_ns: u64) -> Answer {
    story.call(caller, &SHIPMENTS, "/shipments", at_ns, |story, open, at_ns| {
        let carrier = *story.dice.pick(&["dhl", "ups", "post"]);
        open.span.attributes.extend([text("shipping.carrier", carrier), text("order.id", order)]);
        let end_ns = at_ns + story.dice.latency(9_000.0);
        let attributes = vec![text("order.id", order), text("shipping.carrier", carrier)];
        story.log(open.place, end_ns, Severity::Info, format!("shipment created order={order} carrier={carrier}"), attributes);
        Answer { end_ns, status: 201 }
    })
}

/// The checkout takes an order; what it publishes goes on in a trace of its own.
pub(crate) fn place_order(story: &mut Story, caller: Place, session: &str, at_ns: u64) -> Answer {
    let mut published = None;
    let answer = story.call(caller, &ORDERS, "/orders", at_ns, |story, open, at_ns| {
        let place = open.place;
        let order = format!("o-{}", hex::encode(story.dice.id::<4>()));
        let cents = 500 + story.dice.below(19_500) as u64;
        open.span.attributes.extend([text("order.id", order.clone()), text("session.id", session)]);
        let cart = load_cart(story, place, session, at_ns);
        let paid = charge(story, place, cents, cart.end_ns);
        if paid.status != 201 {
            let line = format!("order {order} not placed: payment answered {}", paid.status);
            let severity = if paid.status >= 500 { Severity::Error } else { Severity::Warn };
            story.log(place, paid.end_ns, severity, line, vec![text("order.id", order)]);
            return Answer { end_ns: paid.end_ns, status: if paid.status >= 500 { 502 } else { 402 } };
        }
        let (stored_ns, is_stored) = query(story, place, &INSERT_ORDER, paid.end_ns);
        if !is_stored {
            return Answer { end_ns: stored_ns, status: 503 };
        }
        let shipped = ship(story, place, &order, stored_ns);
        let end_ns = shipped.end_ns + story.dice.latency(900.0);
        let mut publish = story.open(place.instance, Some(place), "send orders", SpanKind::Producer, shipped.end_ns);
        publish.span.attributes.extend(messaging("send"));
        published = Some((publish.place, order.clone(), end_ns));
        story.close(publish, end_ns);
        story.measure(place, end_ns, Instrument::OrdersPlaced, 1.0, vec![text("order.currency", "EUR")]);
        story.measure(place, end_ns, Instrument::OrdersRevenue, cents as f64 / 100.0, vec![text("order.currency", "EUR")]);
        story.log(
            place,
            end_ns,
            Severity::Info,
            format!("order {order} placed amount={:.2} currency=EUR", cents as f64 / 100.0),
            vec![text("order.id", order)],
        );
        Answer { end_ns, status: 201 }
    });
    if let Some((producer, order, at_ns)) = published {
        let link = story.link(producer, vec![text("messaging.message.id", order.clone())]);
        story.in_new_trace(|story| confirm(story, link, &order, at_ns));
    }
    answer
}

fn messaging(operation: &str) -> [signalbox_proto::otlp::common::v1::KeyValue; 4] {
    [
        text("messaging.system", "kafka"),
        text("messaging.destination.name", "orders"),
        text("messaging.operation.name", operation),
        int("messaging.kafka.partition", 0),
    ]
}

/// The confirmation of an order is written from the queue: in a trace of its own, linked to the one that published.
fn confirm(story: &mut Story, link: Link, order: &str, at_ns: u64) {
    let at_ns = at_ns + story.dice.latency(120_000.0);
    let worker = Instance { service: Service::Email, number: 0 };
    let mut open = story.open(worker, None, "process orders", SpanKind::Consumer, at_ns);
    open.span.attributes.extend(messaging("process"));
    open.span.links.push(link);
    let rendered_ns = at_ns + story.dice.latency(14_000.0);
    let render = story.open(worker, Some(open.place), "render confirmation", SpanKind::Internal, at_ns);
    story.close(render, rendered_ns);
    let sent_ns = rendered_ns + story.dice.latency(60_000.0);
    let mut smtp = story.open(worker, Some(open.place), "smtp send", SpanKind::Client, rendered_ns);
    smtp.span.attributes.extend([text("server.address", "mail.shop.example"), int("server.port", 587)]);
    let smtp_place = smtp.place;
    if story.dice.chance(0.02) {
        smtp.throw(sent_ns, "SMTPServerDisconnected", "connection unexpectedly closed", "  File \"/app/worker.py\", line 71, in send");
        story.log(
            smtp_place,
            sent_ns,
            Severity::Error,
            format!("confirmation of order {order} not sent: connection unexpectedly closed"),
            vec![text("order.id", order)],
        );
        open.fail("SMTPServerDisconnected", "confirmation not sent");
    } else {
        let body = crate::attributes::structured(vec![
            text("message", "confirmation sent"),
            text("order", order),
            int("bytes", 4_096 + story.dice.below(2_000) as i64),
        ]);
        story.log_body(smtp_place, sent_ns, Severity::Info, body, vec![text("order.id", order)]);
    }
    story.close(smtp, sent_ns);
    story.measure(open.place, sent_ns, Instrument::ProcessDuration, (sent_ns - at_ns) as f64 / 1e9, vec![text("messaging.destination.name", "orders")]);
    story.close(open, sent_ns);
}
