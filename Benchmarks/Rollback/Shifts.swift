import Rollback
import RolloutRunner
import Runtime

/// From the commit of a violating scrape to HAProxy's acknowledgement.
enum Shifts {
    private static let settings = "bake: 1h\nsettle: 0s\nvalidation: {rounds: 1, interval: 10ms, timeout: 10s}"

    /// One service, repeatedly.
    static func oneService(_ count: Int) throws {
        let proxy = try Proxy(services: ["web"])
        let chain = try Chain(
            "plan: p\nstages: [50, 100]\n\(settings)\nservices:\n- name: web\n  \(proxy.route("web"))\n")
        var (shifted, verified, decided): ([Double], [Double], [Double]) = ([], [], [])
        for _ in 0..<count {
            try chain.advance(to: "baking")
            let report = try chain.violate()
            shifted.append(report.milliseconds(to: "shifted") ?? .infinity)
            verified.append(report.milliseconds(to: "verified") ?? .infinity)
            decided.append(report.milliseconds(to: "decided") ?? .infinity)
        }
        var bare: [Double] = []
        for _ in 0..<count {
            let start = SystemClock.monotonicNanoseconds()
            _ = proxy.command("set server web/blue weight 50;set server web/green weight 0")
            bare.append(Double(SystemClock.monotonicNanoseconds() - start) / 1e6)
        }
        print("\(count) trips of one service, from the commit of the violating scrape:")
        print("  to the decision: \(Spread(decided))")
        print("  to the acknowledged shift: \(Spread(shifted))")
        print("  to the weights read back: \(Spread(verified))")
        print("  the two commands alone, by hand: \(Spread(bare))")
    }

    /// The seven services with the dependencies of rules/plans/acgs.yml, dependents first.
    static func sevenServices(_ count: Int) throws {
        let depends = [
            ("auth", ""), ("ac", "auth"), ("integrity", "auth"), ("fv", "auth"), ("gs", "auth, ac"),
            ("pgc", "auth, ac, gs"), ("ec", "auth, ac, gs, pgc"),
        ]
        let proxy = try Proxy(services: depends.map(\.0))
        let services = depends.map { "- name: \($0)\n  depends: [\($1)]\n  bake: 0s\n  \(proxy.route($0))\n" }
        let chain = try Chain(
            "plan: p\nstages: [100]\nmax_concurrent: 7\n\(settings)\nservices:\n\(services.joined())")
        var (shifted, verified): ([Double], [Double]) = ([], [])
        for _ in 0..<count {
            try chain.advance(to: "promoted")
            let report = try chain.violate()
            shifted.append(report.milliseconds(to: "shifted") ?? .infinity)
            verified.append(report.milliseconds(to: "verified") ?? .infinity)
        }
        print(
            "\(count) trips of seven services in the order of their dependencies, from the commit of the violating scrape:"
        )
        print("  to the last acknowledged shift: \(Spread(shifted))")
        print("  to the last weights read back: \(Spread(verified))")
    }
}
