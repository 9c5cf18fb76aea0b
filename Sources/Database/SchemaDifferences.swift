/// Compares a database's schema with the one that this program's migrations create.
///
/// The expected schema is created by running the migrations: for SQLite in memory, for PostgreSQL in a schema in a
/// transaction that is rolled back. So nothing is listed twice.
extension Migrator {
    /// Differences of columns, types, keys, checks, indexes, partitioning, views and grants; empty if there are
    /// none.
    ///
    /// Tables that no step creates are ignored.
    public func differences() throws(DatabaseError) -> [String] {
        let actual: [SchemaItem]
        let expected: [SchemaItem]
        switch database.dialect {
        case .sqlite:
            actual = try SchemaItem.sqlite(database)
            let other = try SQLiteDatabase(path: ":memory:")
            for step in set.steps { try other.run(step.up) }
            expected = try SchemaItem.sqlite(other)
        case .postgres:
            actual = try SchemaItem.postgres(database)
            expected = try expectedInPostgres()
        }
        let tables = Set(expected.map(\.table))
        let found = Set(actual.filter { tables.contains($0.table) })
        let wanted = Set(expected)
        let missing = wanted.subtracting(found).map { "missing: \($0.text)" }
        let extra = found.subtracting(wanted).map { "unexpected: \($0.text)" }
        return missing.sorted() + extra.sorted()
    }

    private func expectedInPostgres() throws(DatabaseError) -> [SchemaItem] {
        try database.begin()
        defer {
            // Without a connection, the server rolls back.
            try? database.run("ROLLBACK")
        }
        try database.run("CREATE SCHEMA tribune_expected; SET LOCAL search_path TO tribune_expected")
        for step in set.steps { try database.run(step.up) }
        return try SchemaItem.postgres(database)
    }
}

/// A part of a schema, as text that is equal for equal parts.
private struct SchemaItem: Hashable {
    var table: String
    var text: String

    static func sqlite(_ database: any SQLDatabase) throws(DatabaseError) -> [SchemaItem] {
        let rows = try database.rows(
            "SELECT tbl_name, type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND sql IS NOT NULL")
        return rows.map { row in
            let words = row[3].text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return SchemaItem(table: row[0].text, text: "\(row[1].text) \(row[2].text): \(words)")
        }
    }

    /// The parts of the schema in the search path. Partitions belong to their table and are not listed.
    static func postgres(_ database: any SQLDatabase) throws(DatabaseError) -> [SchemaItem] {
        var items: [SchemaItem] = []
        for query in queries {
            for row in try database.rows(query) { items.append(SchemaItem(table: row[0].text, text: row[1].text)) }
        }
        return items
    }

    private static let queries = [
        // columns
        """
        SELECT c.relname::text, format('column %s.%s %s%s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attnotnull THEN ' not null' ELSE '' END,
            CASE WHEN a.attgenerated <> '' THEN ' generated' ELSE '' END,
            coalesce(' default ' || replace(pg_get_expr(d.adbin, d.adrelid), current_schema() || '.', ''), ''))::text
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition AND c.relkind IN ('r', 'p', 'v', 'm')
        """,
        // keys and checks
        """
        SELECT c.relname::text, format('constraint %s on %s: %s', n.conname, c.relname,
            replace(pg_get_constraintdef(n.oid), current_schema() || '.', ''))::text
        FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition AND n.contype IN ('p', 'u', 'f', 'c')
        """,
        // indexes
        """
        SELECT c.relname::text, format('index %s', replace(pg_get_indexdef(i.indexrelid), current_schema() || '.', ''))::text
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition AND i.indisvalid
        """,
        // partitioning
        """
        SELECT c.relname::text, format('table %s partitioned by %s', c.relname, pg_get_partkeydef(c.oid))::text
        FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'p' AND NOT c.relispartition
        """,
        // views
        """
        SELECT c.relname::text, format('view %s: %s', c.relname, pg_get_viewdef(c.oid))::text
        FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        """,
        // grants to the roles of the program
        """
        SELECT c.relname::text, format('grant of %s on %s to %s', a.privilege_type, c.relname, r.rolname)::text
        FROM pg_class c CROSS JOIN aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition AND r.rolname LIKE 'tribune\\_%'
        """,
        // comments
        """
        SELECT c.relname::text, format('comment on %s.%s: %s', c.relname, a.attname, d.description)::text
        FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition
        """,
    ]
}
