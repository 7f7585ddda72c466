-- What the first release carried from audit to audit: what each run found of each expectation.
create table quality_history (
    run_id varchar,
    created_at varchar,
    check_id varchar,
    rows_unexpected bigint,
    rows_checked bigint
);
