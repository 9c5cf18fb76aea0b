import Foundation
import Runtime

/// A collector of traces in a process of its own, which reads OTLP with OpenTelemetry's definitions.
public final class TraceCollector: Sendable {
    /// The port on loopback.
    public let port: Int
    private let work = TemporaryDirectory()
    private let process: ChildProcess

    /// The packages of OpenTelemetry; `nil`, with a message, if they were not fetched.
    public static let packages: String? = {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path
        let path = "\(root)/.build/tools/opentelemetry-sdk"
        let isThere = Paths.exists("\(path)/opentelemetry")
        if !isThere { print("skipped: the OpenTelemetry SDK is not in \(path)") }
        return isThere ? path : nil
    }()

    /// - Parameters:
    ///   - mode: `http` or `grpc`.
    ///   - options: see `trace_collector.py`.
    public init(_ mode: String, _ options: [String] = []) throws {
        let program = URL(filePath: #filePath).appending(path: "../../Fixtures/trace_collector.py").standardized.path
        let output = work.file("spans")
        work.write("", to: "spans")
        // Debian's Python, which has Debian's gRPC.
        process = try ChildProcess(
            ["/usr/bin/python3", program, Self.packages ?? "", mode, output] + options, output: .file(work.file("log")))
        _ = Loopback.eventually { Paths.exists("\(output).port") }
        port = Int(FileText.read("\(output).port") ?? "") ?? 0
    }

    deinit { process.stop() }

    /// The lines of the output.
    public var lines: [String] {
        (FileText.read(work.file("spans")) ?? "").split(separator: "\n").map(String.init)
    }

    /// The log of the process.
    public var log: String { FileText.read(work.file("log")) ?? "" }
}
