"""Statements that Athena accepts, and that Hive's own parser refuses once they run."""

from __future__ import annotations

from dataclasses import dataclass

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import DdlError
from local_cloud.athena.ddl.iceberg import CreateIcebergTable
from local_cloud.athena.ddl.statement import Ddl, EngineSql, GlueTable, TableName
from local_cloud.athena.ddl.tables import CreateTable
from local_cloud.athena.hive.tokens import ReservedName
from local_cloud.athena.results import Result


@dataclass(frozen=True, slots=True)
class WithReservedName(Ddl):
    """A statement in which a reserved word stands for a name, without backticks.

    Hive's parser refuses it. Statements about Iceberg's tables never come to it.
    https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html
    """

    statement: Ddl
    name: ReservedName

    @property
    def statement_type(self) -> str:
        """The statement's own."""
        return self.statement.statement_type

    @property
    def substatement_type(self) -> str:
        """The statement's own."""
        return self.statement.substatement_type

    def run(self, catalog: Catalog, database: str) -> Result | EngineSql:
        if self._is_of_iceberg(catalog, database):
            return self.statement.run(catalog, database)
        raise DdlError(
            f"FAILED: ParseException line {self.name.line}:{self.name.column} Failed to recognize predicate "
            f"'{self.name.word}'. Failed rule: 'identifier' in column specification"
        )

    def _is_of_iceberg(self, catalog: Catalog, database: str) -> bool:
        if isinstance(self.statement, CreateIcebergTable):
            return True
        table = getattr(self.statement, "table", None)
        if isinstance(self.statement, CreateTable) or not isinstance(table, TableName):
            return False
        return GlueTable(catalog, database, table).is_iceberg
