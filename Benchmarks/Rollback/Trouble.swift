import Glibc
import MetricModel
import Rollback
import RolloutRunner
import Runtime
import Synchronization
import TestSupport

/// The same trips with something broken beside them: a shift to the stable version waits for none of it.
enum Trouble: String, CaseIterable {
    /// A second route of the service whose HAProxy has ended.
    case deadRoute = "dead-route"
    /// A full disk below the journal: a file system of the directory in `TRIBUNE_FULL_DISK`, which should be small.
    case fullDisk = "full-disk"

    private static let settings = "bake: 1h\nsettle: 0s\nvalidation: {rounds: 1, interval: 10ms, timeout: 10s}"

    func run(_ count: Int) throws {
        var shifted: [Double] = []
        switch self {
        case .deadRoute:
            let (near, far) = (try Proxy(services: ["web"]), try Proxy(services: ["web"]))
            let routes = [near, far].map { $0.router("web") }.joined(separator: ", ")
            let chain = try Chain(
                "plan: p\nstages: [50, 100]\n\(Self.settings)\nservices:\n- name: web\n  routes: [\(routes)]\n")
            for _ in 0..<count {
                try chain.advance(to: "baking")
                far.end()
                let report = try chain.violate { try far.start() }
                shifted.append(report.milliseconds(toFirst: "shifted") ?? .infinity)
            }
        case .fullDisk:
            guard let path = FullDisk.path else {
                throw BenchmarkFailure(
                    "TRIBUNE_FULL_DISK names no directory, such as one with: mount -t tmpfs -o size=4m none DIRECTORY")
            }
            let proxy = try Proxy(services: ["web"])
            let chain = try Chain(
                "plan: p\nstages: [50, 100]\n\(Self.settings)\nservices:\n- name: web\n  \(proxy.route("web"))\n",
                journals: path)
            for _ in 0..<count {
                try chain.advance(to: "baking")
                try FullDisk.fill(path)
                let report = try chain.violate { FullDisk.empty(path) }
                shifted.append(report.milliseconds(toFirst: "shifted") ?? .infinity)
            }
        }
        print("\(count) trips of one service with \(rawValue), from the commit of the violating scrape:")
        print("  to the first acknowledged shift: \(Spread(shifted))")
    }
}

/// A small file system that is filled and emptied.
enum FullDisk {
    static let path = getenv("TRIBUNE_FULL_DISK").map { String(cString: $0) }

    private static func filler(_ path: String) -> String { "\(path)/filler" }

    static func fill(_ path: String) throws {
        let file = open(filler(path), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw BenchmarkFailure("cannot write \(filler(path))") }
        defer { close(file) }
        let block = [UInt8](repeating: 0, count: 4096)
        // More than the small file system of this measurement has.
        for _ in 0..<65_536 where write(file, block, block.count) < block.count { return }
        throw BenchmarkFailure("\(path) takes 256 MiB: use a smaller file system")
    }

    static func empty(_ path: String) { unlink(filler(path)) }
}

extension RollbackReport {
    /// Milliseconds from the proof to the first entry of `step`.
    func milliseconds(toFirst step: String) -> Double? {
        guard let start, let first = rollback.timeline.first(where: { $0.step == step })?.at else { return nil }
        return first.milliseconds(since: start)
    }
}
