import Runtime
import Synchronization
import Testing

@Suite struct LoggerTests {
    private func lines(_ format: LogFormat, level: LogLevel, _ body: (Logger) -> Void) -> [String] {
        let lines = Mutex<[String]>([])
        let sink = Sink(lines: lines)
        body(Logger(level: level, format: format) { line in sink.lines.withLock { $0.append(line) } })
        return sink.lines.withLock { $0 }
    }

    private final class Sink: Sendable {
        let lines: Mutex<[String]>
        init(lines: consuming Mutex<[String]>) { self.lines = lines }
    }

    @Test func logfmtQuotesWhatNeedsIt() {
        let lines = lines(.logfmt, level: .info) {
            $0.with("component", "scrape").warn(
                "target \"a\" is down", ["target": "http://x/", "error": "a\nb", "empty": ""])
        }
        #expect(lines.count == 1)
        #expect(
            lines[0].hasSuffix(
                #" level=warn msg="target \"a\" is down" component=scrape target=http://x/ error="a\nb" empty="""#
                    + "\n"))
    }

    @Test func linesBelowTheLevelAreDropped() {
        #expect(lines(.logfmt, level: .warn) { $0.info("x") }.isEmpty)
    }

    @Test func jsonLinesAreObjects() {
        let lines = lines(.json, level: .debug) { $0.debug("tab\there") }
        #expect(lines[0].hasPrefix(#"{"time":""#))
        #expect(lines[0].hasSuffix(#""level":"debug","msg":"tab\there"}"# + "\n"))
    }
}
