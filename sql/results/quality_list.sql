-- Every row that breaks an expectation, with what to do about it, the gravest first. Patient level.
select
    c.severity,
    r.table_name,
    r.row_number,
    r.column_name,
    r.patient_id,
    r.tumour_id,
    c.says as expected,
    c.what_to_do,
    array_to_string(c.endangers, '; ') as endangers,
    r.check_id
from quality_rows as r
inner join quality_checks as c on r.check_id = c.check_id
order by
    case c.severity when 'block' then 0 when 'warn' then 1 else 2 end,
    r.table_name,
    r.check_id,
    r.row_number,
    r.patient_id;
