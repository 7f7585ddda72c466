-- quality_rows: one row for each record that breaks an expectation. Patient level: never part of a shareable page.
create or replace table quality_rows (
    check_id varchar,
    table_name varchar,
    row_number bigint,
    patient_id varchar,
    tumour_id varchar,
    column_name varchar
);
