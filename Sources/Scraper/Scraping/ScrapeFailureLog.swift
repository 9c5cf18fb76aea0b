internal import Glibc
internal import Runtime

/// The files of `scrape_failure_log_file`: a line of JSON for each failed scrape. Any thread may write.
enum ScrapeFailureLog {
    /// A file that is not rotated is not written beyond this size.
    private static let largestFile: off_t = 1 << 30

    /// Adds a line to the file at `path`. The file is opened each time, so that it may be rotated.
    static func note(_ path: String, job: String, target: String, reason: String) {
        Logger(level: .error, format: .json) { append($0, to: path) }
            .error(reason, ["job_name": job, "target": target])
    }

    /// A line that cannot be written is dropped: the log of the service has the first failure of a target.
    private static func append(_ line: String, to path: String) {
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard lseek(descriptor, 0, SEEK_END) < largestFile else { return }
        var line = line
        line.withUTF8 { bytes in
            _ = unsafe write(descriptor, bytes.baseAddress, bytes.count)
        }
    }
}
