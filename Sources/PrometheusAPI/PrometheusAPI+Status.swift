internal import Glibc
internal import JSON
internal import MetricModel
internal import Runtime
internal import WebCore

extension PrometheusAPI {
    /// `/api/v1/status/config`
    func statusConfig(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.object { $0.member("yaml", sources.configuration()) }
        return APIResult()
    }

    /// `/api/v1/status/flags`
    func statusFlags(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.object { writer in
            for (name, value) in settings.flags.sorted(by: { ByteOrder.precedes($0.key, $1.key) }) {
                writer.member(name, value)
            }
        }
        return APIResult()
    }

    /// `/api/v1/status/buildinfo`
    func statusBuild(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        Self.write(settings.build, into: &writer)
        return APIResult()
    }

    static func write(_ build: BuildInformation, into writer: inout JSONWriter) {
        writer.object {
            $0.member("version", BuildInformation.prometheusVersion)
            $0.member("revision", build.revision)
            $0.member("branch", build.branch)
            $0.member("buildUser", "")
            $0.member("buildDate", build.date)
            // The name is Prometheus's; clients only display it.
            $0.member("goVersion", build.compiler)
            $0.member("application", "Tribune")
            $0.member("applicationVersion", build.version)
        }
    }

    /// `/api/v1/status/runtimeinfo`
    func statusRuntime(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let reload = sources.lastReload()
        writer.object {
            $0.member("startTime", startedAt)
            $0.member("CWD", Self.workingDirectory())
            $0.member("hostname", Self.hostName())
            $0.member("serverTime", Timestamp(milliseconds: SystemClock.wallMilliseconds()))
            $0.member("reloadConfigSuccess", reload.succeeded)
            $0.member("lastConfigTime", reload.at)
            $0.member("corruptionCount", 0)
            $0.member("goroutineCount", ProcessFigures.read().threads)
            $0.member("GOMAXPROCS", sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            $0.member("GOMEMLIMIT", 0)
            $0.member("GOGC", "")
            $0.member("GODEBUG", "")
            $0.member("storageRetention", settings.retention)
        }
        return APIResult()
    }

    /// `/api/v1/status/walreplay`: the store is complete when it is open.
    func statusReplay(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.object {
            $0.member("min", 0)
            $0.member("max", 0)
            $0.member("current", 0)
        }
        return APIResult()
    }

    /// `/api/v1/notifications`
    func notifications(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let reload = sources.lastReload()
        writer.array(reload.succeeded ? [] : ["Configuration reload has failed."]) { writer, text in
            writer.object {
                $0.member("text", text)
                $0.member("date", Timestamp(milliseconds: SystemClock.wallMilliseconds()))
                $0.member("active", true)
            }
        }
        return APIResult()
    }

    private static func workingDirectory() -> String {
        guard let path = unsafe getcwd(nil, 0) else { return "" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    private static func hostName() -> String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: &name.nodename) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
