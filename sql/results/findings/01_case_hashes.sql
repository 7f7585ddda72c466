-- case_hashes: what a reviewer's answer to a case rests on, as a hash: it changes when the dated facts behind the case
-- do. The end of observation is left out, as it moves with every cut-off.
create or replace view case_hashes as
select
    rule_id,
    subject_id,
    sha256(
        rule_id || chr(10) || subject_id || chr(10)
        || regexp_replace(evidence, '^\{"observable_through":"[0-9-]*",', '{')
    ) as evidence_hash
from judgements
where verdict in ('non_conformant', 'not_evaluable');
