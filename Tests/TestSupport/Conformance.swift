import Glibc

/// The conformance material, which is next to the project and not part of it.
public enum Conformance {
    /// Its directory: `TRIBUNE_CONFORMANCE`, or `shared/conformance` next to the project. `nil` if it does not exist.
    public static let directory: String? = {
        if let named = getenv("TRIBUNE_CONFORMANCE") { return String(cString: named) }
        var here = #filePath
        while let slash = here.lastIndex(of: "/") {
            here = String(here[..<slash])
            let candidate = here + "/shared/conformance"
            if access(candidate + "/README.md", R_OK) == 0 { return candidate }
        }
        print("The conformance material is not here (TRIBUNE_CONFORMANCE): tests that need it are skipped.")
        return nil
    }()

    /// Whether it is there, for `.enabled(if:)`.
    public static var isAvailable: Bool { directory != nil }
}
