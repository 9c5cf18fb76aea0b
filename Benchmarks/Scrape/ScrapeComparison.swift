import CurlHTTP
import Glibc
import Runtime

/// Runs the fleet and its scrapers, and prints their CPU time side by side.
struct ScrapeComparison {
    let targets: Int
    let series: Int
    let interval: Int
    let seconds: Int

    private let port = 15_000 + Int(getpid()) % 15_000
    private let client = HTTPClient()

    init(targets: Int, series: Int, interval: Int, seconds: Int) {
        (self.targets, self.series) = (max(1, targets), max(100, series))
        (self.interval, self.seconds) = (max(1, interval), max(1, seconds))
    }

    /// A scraper: its user agent and its process.
    private struct Rival {
        var name: String
        var agent: String
        var process: ChildProcess
    }

    func run() throws {
        let own = CommandLine.arguments[0]
        let fleet = try ChildProcess([own, "fleet", "\(port)", "\(targets)", "\(series)"], errors: .inherited)
        defer { fleet.stop() }
        while scrapes() == nil { usleep(20_000) }
        let arguments = ["\(port)", "\(targets)", "\(interval)"]
        var rivals = [
            Rival(name: "Tribune", agent: "Tribune", process: try ChildProcess([own, "tribune"] + arguments)),
            Rival(
                name: "Tribune's client, receiving only", agent: "receive",
                process: try ChildProcess([own, "receive"] + arguments)),
            Rival(
                name: "libcurl, receiving only", agent: "libcurl",
                process: try ChildProcess([own, "libcurl"] + arguments)),
        ]
        defer { for rival in rivals { rival.process.stop() } }
        let directory = "/tmp/scrape-benchmark-\(getpid())"
        // If it is not installed, only the others are compared.
        if let process = try? prometheus(directory) {
            rivals.append(Rival(name: "Prometheus", agent: "Prometheus", process: process))
        }
        // Files that stay in /tmp do not affect the results.
        defer { _ = try? ChildProcess(["rm", "-r", directory]).wait() }
        sleep(UInt32(2 * interval + 2))
        let before = measure(rivals)
        sleep(UInt32(seconds))
        let after = measure(rivals)
        report(rivals, zip(before, after).map { ($1.cpu - $0.cpu, $1.scrapes - $0.scrapes) })
    }

    private func report(_ rivals: [Rival], _ figures: [(cpu: Double, scrapes: Int)]) {
        print("\(Self.machine). \(targets) targets x \(series) series, every \(interval) s, for \(seconds) s.")
        let length = Fleet.body(target: 0, series: series, round: 0).count
        print("\(length) bytes a body; not compressed.")
        let own = figures[0].cpu / Double(max(1, figures[0].scrapes))
        for (rival, figure) in zip(rivals, figures) {
            let each = figure.cpu / Double(max(1, figure.scrapes))
            print(
                "\(rival.name): \(Int(each * 1e6)) us of CPU a scrape, \(thousandths(each / Double(series) * 1e6)) s per million samples,",
                "\(figure.scrapes) scrapes; Tribune to it 1/\(thousandths(each / own))")
        }
    }

    private func thousandths(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }

    private func measure(_ rivals: [Rival]) -> [(cpu: Double, scrapes: Int)] {
        let scrapes = scrapes() ?? [:]
        return rivals.map { (Self.cpuSeconds($0.process.processID), scrapes[$0.agent] ?? 0) }
    }

    /// The number of scrapes of each agent.
    private func scrapes() -> [String: Int]? {
        // Without a response, the report shows zero scrapes.
        guard let answer = try? client.send(HTTPRequest(url: "http://127.0.0.1:\(port)/scrapes")), answer.status == 200
        else { return nil }
        var scrapes: [String: Int] = [:]
        for line in String(decoding: answer.body, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { scrapes[String(words[0])] = Int(words[1]) }
        }
        return scrapes
    }

    private func prometheus(_ directory: String) throws -> ChildProcess {
        mkdir(directory, 0o755)
        var text =
            "scrape_configs:\n- job_name: fleet\n  scrape_interval: \(interval)s\n  scrape_timeout: \(interval)s\n"
        text += "  static_configs:\n"
        for target in 0..<targets {
            text += "  - {targets: ['127.0.0.1:\(port)'], labels: {__metrics_path__: /\(target), pod: '\(target)'}}\n"
        }
        guard let file = fopen(directory + "/prometheus.yml", "w") else { throw Errno() }
        fputs(text, file)
        fclose(file)
        return try ChildProcess([
            "prometheus", "--config.file=\(directory)/prometheus.yml", "--storage.tsdb.path=\(directory)/data",
            "--web.listen-address=127.0.0.1:\(port + 1)",
        ])
    }

    private struct Errno: Error {}

    /// Seconds that the threads of a process have run, to the nanosecond.
    private static func cpuSeconds(_ process: pid_t) -> Double {
        guard let tasks = opendir("/proc/\(process)/task") else { return 0 }
        defer { closedir(tasks) }
        var nanoseconds = 0.0
        while let entry = readdir(tasks) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            // A thread may have ended since the directory was read.
            let bytes = (try? FileText.bytes("/proc/\(process)/task/\(name)/schedstat", limit: 4096)) ?? []
            nanoseconds += Double(String(decoding: bytes, as: UTF8.self).prefix { $0 != " " }) ?? 0
        }
        return nanoseconds / 1e9
    }

    private static var machine: String {
        // Without this file the model is unknown.
        let bytes = (try? FileText.bytes("/proc/cpuinfo", limit: 1 << 20)) ?? []
        let model = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("model name") }
        let name =
            model.flatMap { $0.split(separator: ":").last }.map { String($0.drop { $0 == " " }) } ?? "unknown CPU"
        return "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) x \(name)"
    }
}
