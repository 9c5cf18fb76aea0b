internal import Glibc

/// Paths of files.
public enum Paths {
    /// The directory of `path`; `.` if it has none.
    public static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// `path` itself if it is absolute or empty; otherwise `path` relative to `directory`.
    public static func resolve(_ path: String, from directory: String) -> String {
        path.isEmpty || path.hasPrefix("/") || directory.isEmpty || directory == "." ? path : "\(directory)/\(path)"
    }

    /// The files that match `pattern` (`*`, `?`, `[…]`), sorted. A pattern without these characters is returned
    /// unchanged.
    public static func matching(_ pattern: String) -> [String] {
        guard pattern.contains(where: { "*?[".contains($0) }) else { return [pattern] }
        return existing(pattern)
    }

    /// The existing files that match `pattern` (`*`, `?`, `[…]`), sorted.
    public static func existing(_ pattern: String) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(unsafe found.gl_pathc)).compactMap { index in
            unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
        }
    }

    /// Whether a file or directory exists at `path`.
    public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// The size in bytes of the file system that `path` is on. Returns `nil` on failure, with the reason in `errno`.
    public static func fileSystemBytes(_ path: String) -> Int? {
        var information = statvfs()
        guard unsafe statvfs(path, &information) == 0 else { return nil }
        return Int(information.f_blocks) * Int(information.f_frsize)
    }

    /// Renames the file at `path`, and replaces an existing one. Returns false on failure, with the reason in `errno`.
    @discardableResult
    public static func move(_ path: String, to other: String) -> Bool { unsafe rename(path, other) == 0 }

    /// Deletes the file at `path`. Returns false on failure, with the reason in `errno`.
    @discardableResult
    public static func remove(_ path: String) -> Bool { unsafe unlink(path) == 0 }

    /// Creates the directory at `path` and its parents. Returns whether it exists now; otherwise `errno` has the
    /// reason.
    ///
    /// - Parameter isPrivate: Whether directories that are created can be read by their user only.
    public static func makeDirectory(_ path: String, isPrivate: Bool = false) -> Bool {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += prefix.isEmpty || prefix.hasSuffix("/") ? String(part) : "/\(part)"
            if unsafe mkdir(prefix, isPrivate ? 0o700 : 0o755) != 0 && errno != EEXIST { return false }
        }
        return true
    }
}
