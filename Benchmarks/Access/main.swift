// Measures what access control costs a request: a token of the configuration, a JSON Web Token seen for the first time
// and again, and the permission itself. The baseline is SHA-256 of the same token.
//
//     swift run -c release AccessBenchmark [COUNT]

import Glibc
import Identity
import Runtime
import TLS
import WebServer

func machine() -> String {
    let lines = FileText.read("/proc/cpuinfo")?.split(separator: "\n") ?? []
    let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last ?? "unknown"
    return "\(model), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors"
}

/// Nanoseconds of each of `count` calls, sorted.
func times(_ count: Int, prepare: () -> Void = {}, _ body: () -> Void) -> [Int64] {
    (0..<count).map { _ in
        prepare()
        let start = SystemClock.monotonicNanoseconds()
        body()
        return SystemClock.monotonicNanoseconds() - start
    }.sorted()
}

func report(_ what: String, _ times: [Int64], baseline: Int64) {
    func microseconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds / 10) / 100 }
    let median = times[times.count / 2]
    let ratio = Double(median * 10 / max(baseline, 1)) / 10
    print(
        "\(what): median \(microseconds(median)) µs, p99 \(microseconds(times[times.count * 99 / 100])) µs, "
            + "\(ratio) × SHA-256")
}

let count = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 20_000 : 20_000
var policy = AccessPolicy()
policy.tokens = [.init(.init("ci", roles: [.operator]), text: "trb_0123456789abcdef")]
policy.limits = [:]
let accessControl = AccessControl(policy)

func request(_ token: String) -> HTTPServerRequest {
    HTTPServerRequest(
        path: "/api/v1/query",
        headers: [("Host", "tribune.internal:9190"), ("Authorization", "Bearer \(token)")], peer: "10.0.0.9")
}

func admit(_ request: HTTPServerRequest) -> Principal {
    do throws(Refusal) {
        return try accessControl.admit(request, .read)
    } catch {
        print("refused: \(error.message)")
        exit(1)
    }
}

let long = request("trb_0123456789abcdef")
guard let tokens = accessControl.issueTokens(for: admit(long)) else {
    print("no tokens")
    exit(1)
}
let short = request(tokens.access)
print("machine: \(machine()); \(count) requests of each kind")
var sink: UInt8 = 0
let baseline = times(count) { sink ^= SHA256.hash(tokens.access)[0] }[count / 2]
print("SHA-256 of a JSON Web Token: median \(Double(baseline) / 1000) µs")
report("token of the configuration", times(count) { _ = admit(long) }, baseline: baseline)
report(
    "JSON Web Token (EdDSA), first time",
    times(count / 10, prepare: { accessControl.reload(policy) }) { _ = admit(short) },
    baseline: baseline)
report("JSON Web Token, again", times(count) { _ = admit(short) }, baseline: baseline)
let principal = admit(short)
var allowed = 0
let thousand = times(max(count / 100, 100)) {
    for _ in 0..<1000 where principal.permissions.contains(.order) && principal.scope.covers(plan: "shop") {
        allowed += 1
    }
}
print("permission and scope: median \(Double(thousand[thousand.count / 2]) / 1000) ns")
precondition(allowed > 0 && sink >= 0)
