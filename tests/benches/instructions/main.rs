//! What authentication costs, in instructions and heap allocations as valgrind counts them, and
//! what it may cost. `cargo bench -p tests --bench instructions`

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

mod cases;
mod client;
mod service;
mod table;
#[path = "../tokens/mod.rs"]
mod tokens;
mod valgrind;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tests::pb::kit::Word;
use tests::pb::kit::right_client::RightClient;
use tests::{block_on, connect, with_token};

use table::Table;
use tokens::Algorithm;
use valgrind::Count;

/// Verified before the tokens that are counted: whatever is made at first use is made then.
const WARM_UP: usize = 64;
const TOKENS: usize = WARM_UP + 1024;

/// The limits: cold verification as a ratio to the signature alone, ..
const VERIFY: [(Algorithm, f64); 3] =
    [(Algorithm::Rs256, 1.10), (Algorithm::Es256, 1.04), (Algorithm::EdDsa, 1.06)];
/// .. what a remembered token adds to a call, in instructions, ..
const WARM_CALL: f64 = 2_500.0;
/// .. what it adds once keys were fetched again since it was verified (about 100, and what malloc makes
/// of another heap, a few hundred either way), ..
const AFTER_A_REFRESH: f64 = 600.0;
/// .. how an introspected token compares with a JWT and an HMAC of it, as a ratio, ..
const INTROSPECTED_CALL: f64 = 1.03;
/// .. what a `#[require]` adds beyond the function that it asks, ..
const REQUIRE: f64 = 200.0;
/// .. what counting a call adds for a recorder, ..
const MEASURED: f64 = 150.0;
/// .. what a remembered token adds to a whole call over a connection, as a ratio, ..
const WHOLE_CALL: f64 = 1.02;
/// .. and what a client's source of tokens adds, as a ratio to the same call with the same token.
const CLIENT_CALL: f64 = 1.02;

/// What can be measured alone: `-- "warm call"`.
const PARTS: [(&str, Measure); 5] = [
    ("verify", verify),
    ("warm call", warm_call),
    ("require", require),
    ("whole call", whole_call),
    ("client call", client_call),
];

type Measure = fn(&mut Table);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let ["--child", case, times] = *arguments {
        block_on(cases::run(case, times.parse().expect("a number")));
        return ExitCode::SUCCESS;
    }

    let mut table = Table::default();
    for (name, measure) in PARTS {
        // `cargo bench` has a word of its own to say.
        let wanted = |argument: &&str| argument.starts_with("--") || name.contains(argument);
        if arguments.iter().all(wanted) {
            measure(&mut table);
        }
    }
    table.verdict()
}

fn verify(table: &mut Table) {
    for (algorithm, limit) in VERIFY {
        tokens::write(&folder(algorithm), algorithm, TOKENS).unwrap();
        let [signature, verify] = ["signature", "verify"]
            .map(|what| Count::Instructions.each(&format!("{what} {algorithm}"), WARM_UP, TOKENS));
        let what = format!("verify {algorithm} / its signature alone");
        table.ratio(&what, signature, verify, limit);
    }
}

fn warm_call(table: &mut Table) {
    tokens::write(&folder(Algorithm::Rs256), Algorithm::Rs256, TOKENS).unwrap();
    let warm = |count: Count, few, many| {
        ["call plain", "call protected"].map(|case| count.each(case, few, many))
    };
    let [plain, protected] = warm(Count::Instructions, 200, 2_200);
    table.difference("warm call in process / without layer", plain, protected, WARM_CALL);

    let [fetched, refreshed] =
        ["call fetched", "call refreshed"].map(|case| Count::Instructions.each(case, 200, 2_200));
    let what = "warm call, keys fetched since then / before";
    table.difference(what, fetched, refreshed, AFTER_A_REFRESH);

    let [introspected, hmac] = ["call introspected", "hmac of the token"]
        .map(|case| Count::Instructions.each(case, 200, 2_200));
    let what = "warm introspected call / warm call and an HMAC";
    table.ratio(what, protected + hmac, introspected, INTROSPECTED_CALL);

    let measured = Count::Instructions.each("call measured", 200, 2_200);
    table.difference("warm call with a recorder / without", protected, measured, MEASURED);

    let [plain, protected] = warm(Count::Allocations, 100, 1_100);
    let [one, two] =
        ["extensions one", "extensions two"].map(|case| Count::Allocations.each(case, 100, 1_100));
    table.difference("its allocations / without layer", plain, protected, two - one);
    table.note("(the limit is what `Extensions::insert` allocates)");
}

fn require(table: &mut Table) {
    tokens::write(&folder(Algorithm::Rs256), Algorithm::Rs256, TOKENS).unwrap();
    let [asking, requiring] =
        ["call asking", "call requiring"].map(|case| Count::Instructions.each(case, 200, 2_200));
    table.difference("warm call with `#[require]` / asked in handler", asking, requiring, REQUIRE);
}

/// How often a server wakes up depends on what else the machine does: the median of five.
fn whole_call(table: &mut Table) {
    tokens::write(&folder(Algorithm::Rs256), Algorithm::Rs256, TOKENS).unwrap();
    let [plain, protected] = median(|| {
        ["serve plain", "serve protected"].map(|case| {
            let [few, many] = [100, 1_100].map(|times| whole_calls(case, times));
            (many - few) / 1_000.0
        })
    });
    table.ratio("whole call over a connection / without layer", plain, protected, WHOLE_CALL);
}

fn client_call(table: &mut Table) {
    let port = client::serve();
    let [own, source] = median(|| {
        ["own", "source"]
            .map(|token| Count::Instructions.each(&format!("client {token} {port}"), 100, 1_100))
    });
    let what = "client call with a warm token / the same without the layer";
    table.ratio(what, own, source, CLIENT_CALL);
}

/// The pair of five with the median ratio.
fn median(pair: impl FnMut() -> [f64; 2]) -> [f64; 2] {
    let mut pairs: Vec<_> = std::iter::repeat_with(pair).take(5).collect();
    pairs.sort_by(|[a, b], [c, d]| (b / a).total_cmp(&(d / c)));
    pairs.swap_remove(2)
}

/// The instructions of a server that is called so many times over one connection.
fn whole_calls(case: &str, times: usize) -> f64 {
    let mut server = Count::Instructions.start(case, times);
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let address = format!("127.0.0.1:{}", port.trim()).parse().expect("the server's port");
    block_on(call(address, case == "serve protected", times));
    drop(server.stdin.take());
    Count::Instructions.of(server)
}

async fn call(address: std::net::SocketAddr, is_protected: bool, times: usize) {
    let folder = folder(Algorithm::Rs256);
    let good = tokens::good(&folder, 1).unwrap().concat();
    let (_, forged) = tokens::bad(&folder).unwrap().into_iter().next().unwrap();
    let mut client = RightClient::new(connect(address).await);
    let word = || Word { text: "x".repeat(100) };
    assert_eq!(client.get(with_token(word(), &forged)).await.is_err(), is_protected);
    for _ in 0..times {
        client.get(with_token(word(), &good)).await.unwrap();
    }
}

/// Where the tokens of an algorithm lie: made anew for each run, and only read by children.
fn folder(algorithm: Algorithm) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions").join(algorithm.to_string())
}
