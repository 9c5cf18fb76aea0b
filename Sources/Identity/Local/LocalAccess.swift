internal import Glibc
internal import Runtime
internal import TLS

/// The proof of identity for programs of the service's own user: a Unix socket, or a token in a file, in a directory
/// that only this user can write. Created when the service starts, and found by the `tribune` commands.
///
/// The files are named by the port of the server: `9190.sock`, `9190.token`.
public struct LocalAccess: Sendable {
    /// The directory of the files.
    public let directory: String
    /// The token in the file.
    public let token: String
    /// The path of the socket before the port is known.
    public let startingSocket: String

    /// Prepares the first usable directory of ``directories``; `nil` if there is none, or no random token.
    public init?() {
        guard let directory = Self.directories.first(where: Self.prepare),
            case .some(let bytes) = try? SecureRandom.bytes(32)  // without one there is no access of this kind
        else { return nil }
        self.directory = directory
        token = "trl_" + Hexadecimal.text(bytes)
        startingSocket = "\(directory)/.\(getpid())-\(UInt16.random(in: 0 ... .max)).sock"
    }

    /// Renames the socket and writes the token. False on failure, with the reason in `errno`.
    public func publish(port: Int) -> Bool {
        let path = tokenFile(port)
        unsafe unlink(path)
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let line = Array("\(token)\n".utf8)
        guard unsafe write(descriptor, line, line.count) == line.count else { return false }
        return Paths.move(startingSocket, to: Self.socket(in: directory, port))
    }

    /// Removes the files of ``publish(port:)``.
    public func remove(port: Int) {
        unsafe unlink(tokenFile(port))
        unsafe unlink(Self.socket(in: directory, port))
        unsafe unlink(startingSocket)
    }

    /// The socket and the token of the service that listens on `port`, for a command.
    public static func find(port: Int) -> (socket: String?, token: String?) {
        for directory in directories where isTrusted(directory) {
            let socket = socket(in: directory, port)
            let token = isPrivateFile("\(directory)/\(port).token") ? FileText.read("\(directory)/\(port).token") : nil
            let word = token?.split(whereSeparator: \.isWhitespace).first.map(String.init)
            if Paths.exists(socket) || word != nil { return (Paths.exists(socket) ? socket : nil, word) }
        }
        return (nil, nil)
    }

    /// Directories in order of preference.
    private static var directories: [String] {
        func variable(_ name: String) -> String? {
            guard let text = unsafe getenv(name).map({ unsafe String(cString: $0) }), text.hasPrefix("/") else {
                return nil
            }
            return text
        }
        // systemd separates several directories with colons.
        let given = variable("RUNTIME_DIRECTORY").map { String($0.prefix { $0 != ":" }) }
        return [variable("TRIBUNE_RUNTIME_DIR"), given, variable("XDG_RUNTIME_DIR").map { $0 + "/tribune" }]
            .compactMap { $0 } + ["/run/tribune", "/tmp/tribune-\(geteuid())"]
    }

    /// Whether the directory exists, or can be created, and belongs to this process's user only.
    private static func prepare(_ directory: String) -> Bool {
        // Space for the name of the socket: its address has 108 bytes.
        guard directory.utf8.count <= 85 else { return false }
        guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else { return false }
        var status = stat()
        guard unsafe lstat(directory, &status) == 0, status.st_uid == geteuid() else { return false }
        guard unsafe access(directory, W_OK) == 0 else { return false }
        return isTrusted(directory)
    }

    /// Whether it is a directory that only this user and root can write; for root also one of another user, such as
    /// that of the service, unless everybody can make directories beside it.
    static func isTrusted(_ directory: String) -> Bool {
        var status = stat()
        guard unsafe lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o022 == 0
        else { return false }
        if status.st_uid == geteuid() || status.st_uid == 0 { return true }
        var parent = stat()
        guard geteuid() == 0, unsafe stat(Paths.directory(of: directory), &parent) == 0 else { return false }
        return parent.st_mode & 0o002 == 0
    }

    private static func isPrivateFile(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o077 == 0
    }

    private func tokenFile(_ port: Int) -> String { "\(directory)/\(port).token" }
    private static func socket(in directory: String, _ port: Int) -> String { "\(directory)/\(port).sock" }
}
